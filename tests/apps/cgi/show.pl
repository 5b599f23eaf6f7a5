#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# Its environment, a line without anything, and what it reads.
use strict;
use warnings;

print "Content-Type: text/plain\r\nX-Program: perl\r\n\r\n";
print map { "$_=$ENV{$_}\n" } keys %ENV;
print "\n", <STDIN>;
