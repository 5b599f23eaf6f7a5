-- SPDX-License-Identifier: LGPL-2.1-or-later
-- For wrk: requests after which every server closes the connection.
function request()
   return "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
end
