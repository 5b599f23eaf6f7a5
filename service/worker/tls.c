/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Certificates by GnuTLS, chosen by the name that the client asks for; each session is given ours
 * in place of those of libmicrohttpd, which knows one certificate only. */
#include "worker/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "config/settings.h"

/* One in a list of files, with the NUL. */
#define FILE_NAME_MAX 512

/* Types of TLS records (RFC 8446 5.1). */
#define RECORD_APPLICATION_DATA 23

/* What an AEAD suite adds to a record: 16 bytes of tag, before TLS 1.3 also 8 of nonce (RFC 5288
 * 3), from it on the type (RFC 8446 5.2). */
#define OVERHEAD_1_2 24
#define OVERHEAD_1_3 17

/* An alert in TLS 1.3 looks like application data of this size. */
#define ALERT_SIZE 2

/* Of one server: a root, some between, the leaf. */
#define CHAIN_MAX 16

#define PAIRS_MAX 32

/* Longest name that a client can ask for (RFC 6066 3, RFC 1035 2.3.4), with the NUL. */
#define NAME_MAX_SIZE 256

/* A certificate with its issuers, and its key. */
struct pair {
        gnutls_pcert_st *chain; /* the leaf first */
        unsigned n;
        gnutls_x509_crt_t leaf;
        gnutls_privkey_t key;
};

struct tls {
        struct pair pairs[PAIRS_MAX];
        size_t n_pairs;
        gnutls_certificate_credentials_t credentials;
        gnutls_priority_t priorities;
        gnutls_datum_t ticket_key; /* so that a session begun with one worker goes on with any */
        uint32_t clients;          /* TLS_CLIENTS_* */
};

/* What is loaded, and where its problems go. */
struct loading {
        const struct config *config;
        struct problems *problems;
        struct tls *tls;
};

/* -- files -- */

static int complain(const struct loading *loading, const char *key, const char *about,
                    const char *why)
{
        int i = settings_find("tls", key);

        return problems_add(loading->problems, i < 0 ? NULL : &loading->config->origins[i],
                            "[tls] %s: %s%s%s", key, about, *about ? ": " : "", why);
}

/* The next name of a list, which is left behind it. Return: false at its end. */
static bool next_name(const char **list, char name[static FILE_NAME_MAX])
{
        size_t size;

        *list += strspn(*list, ", \t");
        size = strcspn(*list, ",");
        if (**list == '\0' || size >= FILE_NAME_MAX)
                return false;
        memcpy(name, *list, size);
        *list += size;
        while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == '\t'))
                size--;
        name[size] = '\0';
        return true;
}

static bool all_absolute(const char *list)
{
        char name[FILE_NAME_MAX];

        while (next_name(&list, name))
                if (name[0] != '/')
                        return false;
        return true;
}

static const char *credentials_folder(void)
{
        return getenv("CREDENTIALS_DIRECTORY");
}

bool tls_wanted(const struct config *config)
{
        return config->tls_certificate[0] != '\0';
}

bool tls_findable(const struct config *config)
{
        return credentials_folder() ||
               (all_absolute(config->tls_certificate) && all_absolute(config->tls_key) &&
                all_absolute(config->tls_client_ca));
}

static void free_secret(gnutls_datum_t *datum)
{
        if (datum->data)
                gnutls_memset(datum->data, 0, datum->size);
        gnutls_free(datum->data);
        datum->data = NULL;
}

/* Return: 0, or -EINVAL: told. */
static int load_file(const struct loading *loading, const char *key, const char *name,
                     gnutls_datum_t *ret)
{
        const char *folder = credentials_folder();
        _cleanup_free_ char *path = NULL;
        int r;

        if (name[0] != '/' && !folder)
                return complain(loading, key, name,
                                "not an absolute path, and the unit has no credentials "
                                "(LoadCredential=)");
        if (asprintf(&path, "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/",
                     name) < 0)
                return -ENOMEM;
        r = gnutls_load_file(path, ret);
        if (r < 0)
                return complain(loading, key, path,
                                r == GNUTLS_E_FILE_ERROR ? strerror(errno) : gnutls_strerror(r));
        return 0;
}

/* The pair is whole or, on failure, to be freed as it is. Return: 0, or an error of GnuTLS. */
static int read_pair(struct pair *pair, const gnutls_datum_t *certificate,
                     const gnutls_datum_t *key)
{
        int r;

        pair->chain = calloc(CHAIN_MAX, sizeof(*pair->chain));
        if (!pair->chain)
                return GNUTLS_E_MEMORY_ERROR;
        pair->n = CHAIN_MAX;
        r = gnutls_pcert_list_import_x509_raw(pair->chain, &pair->n, certificate,
                                              GNUTLS_X509_FMT_PEM,
                                              GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
        if (r < 0) {
                pair->n = 0;
                return r;
        }
        r = gnutls_pcert_export_x509(&pair->chain[0], &pair->leaf);
        if (r == 0)
                r = gnutls_privkey_init(&pair->key);
        if (r == 0)
                r = gnutls_privkey_import_x509_raw(pair->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
        return r;
}

static void free_pair(struct pair *pair)
{
        for (unsigned i = 0; i < pair->n; i++)
                gnutls_pcert_deinit(&pair->chain[i]);
        free(pair->chain);
        if (pair->leaf)
                gnutls_x509_crt_deinit(pair->leaf);
        if (pair->key)
                gnutls_privkey_deinit(pair->key);
}

/* Whether the key is that of the certificate: something signed by one is verified by the other. */
static bool fits(const struct pair *pair)
{
        unsigned char sizes[2][64];
        size_t n[2] = {sizeof(sizes[0]), sizeof(sizes[1])};
        gnutls_pubkey_t public;
        bool same;

        if (gnutls_pubkey_init(&public) < 0)
                return false;
        same = gnutls_pubkey_import_privkey(public, pair->key, 0, 0) == 0 &&
               gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, sizes[0], &n[0]) == 0 &&
               gnutls_x509_crt_get_key_id(pair->leaf, GNUTLS_KEYID_USE_SHA256, sizes[1], &n[1]) ==
                       0 &&
               n[0] == n[1] && memcmp(sizes[0], sizes[1], n[0]) == 0;
        gnutls_pubkey_deinit(public);
        return same;
}

static int load_pair(const struct loading *loading, const char *certificate_name,
                     const char *key_name)
{
        _cleanup_(free_secret) gnutls_datum_t certificate = {0}, key = {0};
        bool keys_apart = *loading->config->tls_key != '\0';
        struct tls *tls = loading->tls;
        struct pair *pair = &tls->pairs[tls->n_pairs];
        int r;

        if (tls->n_pairs == PAIRS_MAX)
                return complain(loading, "certificate", certificate_name, "too many of them");
        r = load_file(loading, "certificate", certificate_name, &certificate);
        if (r == 0)
                r = load_file(loading, keys_apart ? "key" : "certificate", key_name, &key);
        if (r < 0)
                return r;
        tls->n_pairs++;
        r = read_pair(pair, &certificate, &key);
        if (r < 0)
                return pair->key ? complain(loading, keys_apart ? "key" : "certificate", key_name,
                                            gnutls_strerror(r))
                                 : complain(loading, "certificate", certificate_name,
                                            gnutls_strerror(r));
        return fits(pair) ? 0
                          : complain(loading, keys_apart ? "key" : "certificate", key_name,
                                     "not the key of the certificate");
}

static int load_pairs(const struct loading *loading)
{
        const char *certificates = loading->config->tls_certificate;
        const char *keys = loading->config->tls_key;
        bool keys_apart = *keys != '\0';
        char certificate[FILE_NAME_MAX], key[FILE_NAME_MAX];
        int r = 0;

        while (r == 0 && next_name(&certificates, certificate)) {
                if (keys_apart && !next_name(&keys, key))
                        return complain(loading, "key", "", "fewer keys than certificates");
                r = load_pair(loading, certificate, keys_apart ? key : certificate);
        }
        if (r == 0 && keys_apart && next_name(&keys, key))
                return complain(loading, "key", "", "more keys than certificates");
        if (r == 0 && loading->tls->n_pairs == 0)
                return complain(loading, "certificate", "", "no name of a file");
        return r;
}

/* -- the choice of a certificate -- */

/* Whether the client can check what the key signs. */
static bool usable(gnutls_session_t session, const struct pair *pair)
{
        int key = gnutls_privkey_get_pk_algorithm(pair->key, NULL);
        gnutls_sign_algorithm_t algorithm;

        for (size_t i = 0; gnutls_sign_algorithm_get_requested(session, i, &algorithm) == 0; i++)
                if (gnutls_sign_supports_pk_algorithm(algorithm, (gnutls_pk_algorithm_t)key))
                        return true;
        return false;
}

/* The name that the client asks for; "" when it asks for none. */
static void asked_name(gnutls_session_t session, char name[static NAME_MAX_SIZE])
{
        size_t size = NAME_MAX_SIZE;
        unsigned type;

        if (gnutls_server_name_get(session, name, &size, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
                name[0] = '\0';
}

static const struct pair *choose(const struct tls *tls, gnutls_session_t session)
{
        const struct pair *named = NULL, *able = NULL;
        char name[NAME_MAX_SIZE];

        asked_name(session, name);
        for (size_t i = 0; i < tls->n_pairs; i++) {
                const struct pair *pair = &tls->pairs[i];
                bool is_named = name[0] && gnutls_x509_crt_check_hostname(pair->leaf, name);
                bool is_able = usable(session, pair);

                if (is_named && is_able)
                        return pair;
                if (is_named && !named)
                        named = pair;
                if (is_able && !able)
                        able = pair;
        }
        return named ? named : able ? able : &tls->pairs[0];
}

/* GnuTLS would choose by itself, but knows no wildcards and prefers suites to the order given. */
static int retrieve(gnutls_session_t session, const gnutls_datum_t *authorities, int n_authorities,
                    const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                    gnutls_pcert_st **chain, unsigned *n, gnutls_privkey_t *key)
{
        const struct tls_meter *meter = gnutls_transport_get_ptr(session);
        const struct pair *pair = choose(meter->tls, session);

        (void)authorities;
        (void)n_authorities;
        (void)algorithms;
        (void)n_algorithms;
        *chain = pair->chain;
        *n = pair->n;
        *key = pair->key;
        return 0;
}

tls_chooser_function *tls_chooser(void)
{
        return (tls_chooser_function *)retrieve;
}

/* -- clients -- */

/* Called when the client has shown a certificate or none. What a client that is refused is told
 * has to be sent here: libmicrohttpd closes without a word. */
static int verify_client(gnutls_session_t session)
{
        struct tls_meter *meter = gnutls_transport_get_ptr(session);
        unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
        gnutls_typed_vdata_st purpose = {
                .type = GNUTLS_DT_KEY_PURPOSE_OID,
                .data = client,
        };
        unsigned n = 0, status = 0;

        if (!gnutls_certificate_get_peers(session, &n) || n == 0)
                return 0; /* GnuTLS refuses it where one is required */
        if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0)
                return 0;
        meter->refused = true;
        (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        return GNUTLS_E_CERTIFICATE_ERROR;
}

static int load_clients(const struct loading *loading)
{
        const struct config *config = loading->config;
        _cleanup_(free_secret) gnutls_datum_t authorities = {0};
        int r;

        loading->tls->clients = config->tls_client_certificate;
        if (loading->tls->clients == TLS_CLIENTS_NONE)
                return 0;
        if (*config->tls_client_ca == '\0')
                return complain(loading, "client_ca", "",
                                "the value is missing: client_certificate needs it");
        r = load_file(loading, "client_ca", config->tls_client_ca, &authorities);
        if (r < 0)
                return r;
        r = gnutls_certificate_set_x509_trust_mem(loading->tls->credentials, &authorities,
                                                  GNUTLS_X509_FMT_PEM);
        if (r <= 0)
                return complain(loading, "client_ca", config->tls_client_ca,
                                r < 0 ? gnutls_strerror(r) : "no certificate in it");
        gnutls_certificate_set_verify_function(loading->tls->credentials, verify_client);
        return 0;
}

const char *tls_subject(const struct tls *tls, void *session, struct arena *arena)
{
        const gnutls_datum_t *chain;
        gnutls_x509_crt_t certificate;
        gnutls_datum_t text = {0};
        const char *subject = NULL;
        unsigned n = 0;

        chain = tls->clients == TLS_CLIENTS_NONE ? NULL : gnutls_certificate_get_peers(session, &n);
        if (!chain || n == 0 || gnutls_x509_crt_init(&certificate) < 0)
                return NULL;
        if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
            gnutls_x509_crt_get_dn3(certificate, &text, 0) == 0)
                subject = arena_copy(arena, text.data, text.size);
        gnutls_free(text.data);
        gnutls_x509_crt_deinit(certificate);
        return subject;
}

/* -- all of it -- */

static int load_priorities(const struct loading *loading)
{
        const char *text = loading->config->tls_priorities;
        const char *flaw = text;
        int r = gnutls_priority_init(&loading->tls->priorities, text, &flaw);

        return r < 0 ? complain(loading, "priorities", flaw, gnutls_strerror(r)) : 0;
}

static int load_all(const struct loading *loading)
{
        struct tls *tls = loading->tls;
        int r;

        if (gnutls_certificate_allocate_credentials(&tls->credentials) < 0 ||
            gnutls_session_ticket_key_generate(&tls->ticket_key) < 0)
                return -ENOMEM;
        r = load_priorities(loading);
        if (r == 0)
                r = load_pairs(loading);
        if (r == 0)
                r = load_clients(loading);
        gnutls_certificate_set_retrieve_function2(tls->credentials, retrieve);
        return r;
}

int tls_new(struct tls **ret, const struct config *config, struct problems *problems)
{
        struct tls *tls = calloc(1, sizeof(*tls));
        const struct loading loading = {.config = config, .problems = problems, .tls = tls};
        int r;

        if (!tls)
                return -ENOMEM;
        r = load_all(&loading);
        if (r < 0) {
                tls_free(tls);
                return r;
        }
        *ret = tls;
        return 0;
}

void tls_free(struct tls *tls)
{
        if (!tls)
                return;
        for (size_t i = 0; i < tls->n_pairs; i++)
                free_pair(&tls->pairs[i]);
        if (tls->credentials)
                gnutls_certificate_free_credentials(tls->credentials);
        if (tls->priorities)
                gnutls_priority_deinit(tls->priorities);
        free_secret(&tls->ticket_key);
        free(tls);
}

/* -- sessions -- */

/* The header of a record is complete. */
static void begin_record(struct tls_meter *meter)
{
        uint16_t carried;

        meter->in_header = false;
        meter->missing = meter->record = (uint16_t)(meter->header[3] << 8 | meter->header[4]);
        carried = meter->record > meter->overhead ? meter->record - meter->overhead : 0;
        if (meter->counts && !meter->refused && meter->header[0] == RECORD_APPLICATION_DATA &&
            carried != ALERT_SIZE)
                meter->bytes += carried;
}

static void end_record(struct tls_meter *meter)
{
        meter->in_header = true;
        meter->missing = sizeof(meter->header);
}

static void measure(struct tls_meter *meter, const uint8_t *bytes, size_t size)
{
        while (size > 0) {
                size_t n = size < meter->missing ? size : meter->missing;

                if (meter->in_header)
                        memcpy(meter->header + sizeof(meter->header) - meter->missing, bytes, n);
                meter->missing = (uint16_t)(meter->missing - n);
                bytes += n;
                size -= n;
                if (meter->missing == 0 && meter->in_header)
                        begin_record(meter);
                if (meter->missing == 0 && !meter->in_header)
                        end_record(meter);
        }
}

static ssize_t pull(gnutls_transport_ptr_t data, void *room, size_t size)
{
        struct tls_meter *meter = data;
        ssize_t n = recv(meter->fd, room, size, 0);

        if (n > 0)
                measure(meter, room, (size_t)n);
        return n;
}

/* What the client sends behind its Finished is application data. GnuTLS reads record by record, so
 * nothing behind it has been pulled yet. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message)
{
        struct tls_meter *meter = gnutls_transport_get_ptr(session);

        (void)type;
        (void)when;
        (void)message;
        if (incoming) {
                meter->counts = true;
                meter->overhead = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3
                                          ? OVERHEAD_1_3
                                          : OVERHEAD_1_2;
        }
        return 0;
}

static gnutls_certificate_request_t request_of(uint32_t clients)
{
        switch (clients) {
        case TLS_CLIENTS_OPTIONAL:
                return GNUTLS_CERT_REQUEST;
        case TLS_CLIENTS_REQUIRED:
                return GNUTLS_CERT_REQUIRE;
        default:
                return GNUTLS_CERT_IGNORE;
        }
}

int tls_begin(const struct tls *tls, void *session, struct tls_meter *meter, int fd)
{
        unsigned char name[] = "http/1.1";
        gnutls_transport_ptr_t before, to_send;
        const gnutls_datum_t http = {.data = name, .size = sizeof(name) - 1};

        *meter = (struct tls_meter){.tls = tls, .fd = fd};
        end_record(meter);
        gnutls_transport_get_ptr2(session, &before, &to_send);
        gnutls_transport_set_ptr2(session, meter, to_send);
        gnutls_transport_set_pull_function(session, pull);
        gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                           on_finished);
        gnutls_certificate_server_set_request(session, request_of(tls->clients));
        /* A client that offers other protocols only is refused (RFC 7301 3.2). */
        if (gnutls_priority_set(session, tls->priorities) < 0 ||
            gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0 ||
            gnutls_session_ticket_enable_server(session, &tls->ticket_key) < 0 ||
            gnutls_alpn_set_protocols(session, &http, 1, GNUTLS_ALPN_MANDATORY) < 0)
                return -ENOMEM;
        return 0;
}

const char *tls_version(void *session)
{
        return gnutls_protocol_get_name(gnutls_protocol_get_version(session));
}
