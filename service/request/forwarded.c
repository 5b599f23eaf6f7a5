/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains of proxies read from left to right, hop by hop, in one pass: whatever is found is dropped
 * again when a hop further right turns out not to be trusted. Loop thread.
 */
#include "request/forwarded.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/* More than any chain of proxies has, few enough to look each of them up. */
#define HOPS_MAX    32
#define PORT_DIGITS 5
#define ACCEPTED    ((struct verdict){0})
#define MALFORMED   "malformed Forwarded"

struct span {
        const char *text;
        size_t size;
};

/* What one kind of headers says, as far as it is read. */
struct claims {
        const struct address_set *trusted;
        size_t n_nodes;
        struct forwarded said;
};

/* RFC 7239 6: an address, or "unknown", or an obfuscated identifier. */
struct node {
        bool hidden;
        struct in6_addr address;
};

static struct verdict refused(const char *reason)
{
        return (struct verdict){.status = 400, .reason = reason};
}

static bool is_digit(char byte)
{
        return byte >= '0' && byte <= '9';
}

static bool is_blank(char byte)
{
        return byte == ' ' || byte == '\t';
}

static struct span trim(struct span span)
{
        while (span.size > 0 && is_blank(span.text[0])) {
                span.text++;
                span.size--;
        }
        while (span.size > 0 && is_blank(span.text[span.size - 1]))
                span.size--;
        return span;
}

/* Bytes before the next @separator that is in no quoted-string (RFC 9110 5.6.4). */
static size_t piece_size(struct span span, char separator)
{
        bool quoted = false;

        for (size_t i = 0; i < span.size; i++) {
                if (span.text[i] == separator && !quoted)
                        return i;
                if (span.text[i] == '"')
                        quoted = !quoted;
                else if (span.text[i] == '\\' && quoted)
                        i++;
        }
        return span.size;
}

/* Cut the next piece off. Return: false behind the last one; there is one at least. */
static bool next_piece(struct span *rest, char separator, struct span *piece)
{
        size_t size;

        if (!rest->text)
                return false;
        size = piece_size(*rest, separator);
        *piece = trim((struct span){rest->text, size});
        if (size < rest->size)
                *rest = (struct span){rest->text + size + 1, rest->size - size - 1};
        else
                *rest = (struct span){0};
        return true;
}

/* -- nodes ------------------------------------------------------------------------------------- */

/* RFC 7239 6.3: an underscore and letters, digits, ".", "_", "-". */
static bool obfuscated(struct span span)
{
        if (span.size < 2 || span.text[0] != '_')
                return false;
        for (size_t i = 1; i < span.size; i++) {
                char byte = span.text[i];

                if (!is_digit(byte) && !(byte >= 'a' && byte <= 'z') &&
                    !(byte >= 'A' && byte <= 'Z') && (!byte || !strchr("._-", byte)))
                        return false;
        }
        return true;
}

/* RFC 7239 6: node-port = 1*5DIGIT / obfport. */
static bool port_valid(struct span span)
{
        unsigned port = 0;

        if (obfuscated(span))
                return true;
        for (size_t i = 0; i < span.size && i <= PORT_DIGITS; i++) {
                if (!is_digit(span.text[i]))
                        return false;
                port = port * 10 + (unsigned)(span.text[i] - '0');
        }
        return span.size > 0 && span.size <= PORT_DIGITS && port <= UINT16_MAX;
}

static bool parse_name(struct span span, struct node *ret)
{
        if (span.size > 2 && span.text[0] == '[')
                return span.text[span.size - 1] == ']' &&
                       address_parse(span.text + 1, span.size - 2, AF_INET6, &ret->address);
        if (address_parse(span.text, span.size, AF_INET, &ret->address))
                return true;
        ret->hidden = equal_ignoring_case(span.text, span.size, "unknown") || obfuscated(span);
        return ret->hidden;
}

/* RFC 7239 6: node = nodename [ ":" node-port ]. The port is judged and dropped. */
static bool parse_node(struct span span, struct node *ret)
{
        const char *bracket = memchr(span.text, ']', span.size);
        const char *from = bracket ? bracket : span.text, *end = span.text + span.size;
        const char *colon = memchr(from, ':', (size_t)(end - from));
        struct span name = {span.text, (size_t)((colon ? colon : end) - span.text)};

        *ret = (struct node){0};
        if (colon && !port_valid((struct span){colon + 1, (size_t)(end - colon - 1)}))
                return false;
        return parse_name(name, ret);
}

static bool trusted_node(const struct address_set *trusted, const struct node *node)
{
        struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_addr = node->address};

        return !node->hidden && address_set_has(trusted, (const struct sockaddr *)&peer);
}

static void format_client(const struct node *node, char text[static REQUEST_PEER_MAX])
{
        const struct in6_addr *address = &node->address;

        text[0] = '\0';
        if (node->hidden)
                return;
        if (IN6_IS_ADDR_V4MAPPED(address))
                (void)inet_ntop(AF_INET, &address->s6_addr[12], text, REQUEST_PEER_MAX);
        else
                (void)inet_ntop(AF_INET6, address, text, REQUEST_PEER_MAX);
}

/*
 * Take the next node to the right. What is left of one that is not trusted is hearsay, so it takes
 * the place of them all. Return: whether it did.
 */
static bool add_node(struct claims *claims, const struct node *node)
{
        bool farthest = claims->n_nodes++ == 0 || !trusted_node(claims->trusted, node);

        if (farthest || claims->said.client[0] == '\0')
                format_client(node, claims->said.client);
        return farthest;
}

/* -- schemes and hosts ------------------------------------------------------------------------- */

/* Say something unless something else was said. */
static bool agree(char *said, const char *text, size_t size)
{
        if (said[0] != '\0')
                return equal_ignoring_case(text, size, said);
        memcpy(said, text, size);
        said[size] = '\0';
        return true;
}

/* The scheme in lower case (RFC 3986 3.1); NULL for those that cannot reach an HTTP server. */
static const char *find_scheme(struct span span)
{
        static const char *const schemes[] = {"http", "https"};

        for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
                if (equal_ignoring_case(span.text, span.size, schemes[i]))
                        return schemes[i];
        }
        return NULL;
}

/* -- X-Forwarded-* ----------------------------------------------------------------------------- */

static struct verdict take_x_for(struct claims *claims, struct span span)
{
        struct node node = {0};

        /* IPv6 is seen here without brackets more often than with them. */
        if (!address_parse(span.text, span.size, AF_INET6, &node.address) &&
            !parse_node(span, &node))
                return refused("malformed X-Forwarded-For");
        (void)add_node(claims, &node);
        return ACCEPTED;
}

static struct verdict take_x_proto(struct claims *claims, struct span span)
{
        const char *scheme = find_scheme(span);

        if (!scheme)
                return refused("X-Forwarded-Proto is neither http nor https");
        if (!agree(claims->said.scheme, scheme, strlen(scheme)))
                return refused("X-Forwarded-Proto has several values");
        return ACCEPTED;
}

static struct verdict take_x_host(struct claims *claims, struct span span)
{
        if (!authority_valid(span.text, span.size))
                return refused("malformed X-Forwarded-Host");
        if (!agree(claims->said.host, span.text, span.size))
                return refused("X-Forwarded-Host has several values");
        return ACCEPTED;
}

/* -- Forwarded --------------------------------------------------------------------------------- */

/* An element of Forwarded: what one proxy says of the request that it got. */
struct hop {
        unsigned seen; /* parameters, by their bits */
        struct node node;
        const char *scheme;
        char host[AUTHORITY_MAX + 1];
};

static struct verdict take_for(struct hop *hop, struct span value)
{
        return parse_node(value, &hop->node) ? ACCEPTED : refused("malformed for= in Forwarded");
}

static struct verdict take_by(struct hop *hop, struct span value)
{
        struct node ignored;

        (void)hop;
        return parse_node(value, &ignored) ? ACCEPTED : refused("malformed by= in Forwarded");
}

static struct verdict take_proto(struct hop *hop, struct span value)
{
        hop->scheme = find_scheme(value);
        return hop->scheme ? ACCEPTED : refused("proto= in Forwarded is neither http nor https");
}

static struct verdict take_host(struct hop *hop, struct span value)
{
        if (!authority_valid(value.text, value.size))
                return refused("malformed host= in Forwarded");
        (void)agree(hop->host, value.text, value.size);
        return ACCEPTED;
}

static const struct parameter {
        const char *name;
        struct verdict (*take)(struct hop *, struct span);
} parameters[] = {{"for", take_for}, {"by", take_by}, {"proto", take_proto}, {"host", take_host}};

/* RFC 7239 4: no parameter twice in an element; unknown ones may come (5.5) and say nothing. */
static struct verdict take_parameter(struct hop *hop, struct span name, struct span value)
{
        for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
                if (!equal_ignoring_case(name.text, name.size, parameters[i].name))
                        continue;
                if (hop->seen & 1U << i)
                        return refused("a parameter of Forwarded comes twice");
                hop->seen |= 1U << i;
                return parameters[i].take(hop, value);
        }
        return ACCEPTED;
}

/* A quoted-string (RFC 9110 5.6.4) without its quotes, into @ret of @most bytes. */
static bool unquote(struct span span, char *ret, size_t most, size_t *ret_size)
{
        size_t i = 1, n = 0;

        for (; i < span.size && span.text[i] != '"'; i++) {
                if (span.text[i] == '\\')
                        i++;
                if (i >= span.size || n == most)
                        return false;
                ret[n++] = span.text[i];
        }
        *ret_size = n;
        return i + 1 == span.size;
}

/* RFC 7239 4: forwarded-pair = token "=" ( token / quoted-string ). */
static struct verdict take_pair(struct hop *hop, struct span pair)
{
        char unquoted[AUTHORITY_MAX];
        size_t name_size = piece_size(pair, '=');
        struct span name = {pair.text, name_size}, value;

        if (name_size == pair.size || !token_valid(name.text, name.size))
                return refused(MALFORMED);
        value = (struct span){pair.text + name_size + 1, pair.size - name_size - 1};
        if (value.size > 0 && value.text[0] == '"') {
                if (!unquote(value, unquoted, sizeof(unquoted), &value.size))
                        return refused(MALFORMED);
                value.text = unquoted;
        } else if (!token_valid(value.text, value.size)) {
                return refused(MALFORMED);
        }
        return take_parameter(hop, name, value);
}

static void set_hop(struct claims *claims, const struct hop *hop)
{
        struct forwarded *said = &claims->said;

        said->scheme[0] = said->host[0] = '\0';
        if (hop->scheme)
                (void)agree(said->scheme, hop->scheme, strlen(hop->scheme));
        (void)agree(said->host, hop->host, strlen(hop->host));
}

/*
 * RFC 7239 4: pairs between ";", of which some may be empty. It knows no blanks around them, but
 * there are senders of such, and no two ways to read it.
 */
static struct verdict take_element(struct claims *claims, struct span element)
{
        struct hop hop = {.node.hidden = true};
        struct span pair;

        while (next_piece(&element, ';', &pair)) {
                struct verdict verdict = pair.size > 0 ? take_pair(&hop, pair) : ACCEPTED;

                if (verdict.status != 0)
                        return verdict;
        }
        if (add_node(claims, &hop.node))
                set_hop(claims, &hop);
        return ACCEPTED;
}

/* -- headers ----------------------------------------------------------------------------------- */

/*
 * RFC 9110 5.3: several fields of a name are one list; a quoted-string ends with its field. 5.6.1:
 * a reasonable number of empty elements is ignored.
 */
static struct verdict take_list(const struct request *request, const char *name,
                                struct verdict (*take)(struct claims *, struct span),
                                struct claims *claims)
{
        size_t n = 0;

        for (size_t i = 0; i < request->n_headers; i++) {
                const struct header *header = &request->headers[i];
                struct span rest = {header->value, header->value_size}, element;

                while (header_is(header, name) && next_piece(&rest, ',', &element)) {
                        struct verdict verdict;

                        if (++n > HOPS_MAX)
                                return refused("too many proxies");
                        verdict = element.size > 0 ? take(claims, element) : ACCEPTED;
                        if (verdict.status != 0)
                                return verdict;
                }
        }
        return ACCEPTED;
}

/*
 * A proxy that writes one kind of headers and passes the other on unread lets the client speak with
 * its voice; where the two differ nobody knows which is which.
 */
static struct verdict merge(struct forwarded *said, const struct forwarded *other)
{
        if (other->client[0] && !agree(said->client, other->client, strlen(other->client)))
                return refused("X-Forwarded-For and Forwarded name different clients");
        if (other->scheme[0] && !agree(said->scheme, other->scheme, strlen(other->scheme)))
                return refused("X-Forwarded-Proto and Forwarded differ");
        if (other->host[0] && !agree(said->host, other->host, strlen(other->host)))
                return refused("X-Forwarded-Host and Forwarded differ");
        return ACCEPTED;
}

struct verdict forwarded_apply(const struct request *request, const struct address_set *trusted,
                               struct forwarded *ret)
{
        struct claims old = {.trusted = trusted}, standard = {.trusted = trusted};
        const struct {
                const char *name;
                struct verdict (*take)(struct claims *, struct span);
                struct claims *claims;
        } lists[] = {{"X-Forwarded-For", take_x_for, &old},
                     {"X-Forwarded-Proto", take_x_proto, &old},
                     {"X-Forwarded-Host", take_x_host, &old},
                     {"Forwarded", take_element, &standard}};
        struct verdict verdict;

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                verdict = take_list(request, lists[i].name, lists[i].take, lists[i].claims);
                if (verdict.status != 0)
                        return verdict;
        }
        verdict = merge(&old.said, &standard.said);
        if (verdict.status == 0)
                *ret = old.said;
        return verdict;
}
