/* lull serve: streams of frames in and samples out, for other programs, over sockets. */
#include "cli/commands.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os_socket.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/listener.h"
#include "cli/options.h"
#include "cli/remarks.h"
#include "cli/serve_stream.h"
#include "cli/stop.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

enum { MOST_LISTENERS = 2, MOST_REFUSED = 32 };

typedef struct serve_options {
    cli_synthesis synthesis;
    const char *socket, *listen, *convention;
    cli_input_options input;
    bool allow_remote, quiet, verbose;
    int most_clients, most_steps;
    double hello_seconds, idle_seconds, send_seconds, most_seconds;
} serve_options;

typedef struct server {
    const serve_options *options;
    serve_limits limits;
    cli_reading reading;
    lull_model_info plain; /* of what is served, at the mel's rate and hop */
    lull_pool *pool;       /* the threads that all streams are synthesized on */
    listener listeners[MOST_LISTENERS];
    int listener_count;
    int wake[2];          /* the second end closed: all streams end */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t left;
    int clients, refused;
    uint64_t seen; /* numbers the clients in messages */
} server;

typedef struct client {
    server *server;
    int descriptor;
    uint64_t number;
    bool refused;
} client;

/* ---- clients -------------------------------------------------------------------------------- */

static void report(const server *s, const client *c, const serve_result *result) {
    const lull_model_info *info = s->limits.info;
    char name[32];
    if (result->error.status && !*result->error.message) return; /* it said nothing at all */
    if (result->error.status && !s->options->quiet)
        cli_note("client %llu: %s", (unsigned long long)c->number, result->error.message);
    else if (s->options->verbose)
        cli_note("client %llu: %llu frames, %.2f s of audio", (unsigned long long)c->number,
                 (unsigned long long)result->frames,
                 (double)result->samples / (double)info->sample_rate);
    snprintf(name, sizeof name, "client %llu", (unsigned long long)c->number);
    cli_reading_remark(&s->reading, &result->seen, name);
}

/* Counts a client in, as one that is served or, while the server is full, as one that is told so;
 * false when there are too many of these, too. */
static bool enter(server *s, client *c) {
    pthread_mutex_lock(&s->lock);
    c->number = ++s->seen;
    c->refused = s->clients >= s->options->most_clients;
    bool room = !c->refused || s->refused < MOST_REFUSED;
    if (room) ++*(c->refused ? &s->refused : &s->clients);
    pthread_mutex_unlock(&s->lock);
    return room;
}

/* Takes the client back out and closes; the server may be gone when this returns. */
static void leave(server *s, const client *c) {
    int descriptor = c->descriptor;
    pthread_mutex_lock(&s->lock);
    --*(c->refused ? &s->refused : &s->clients);
    pthread_cond_signal(&s->left);
    pthread_mutex_unlock(&s->lock);
    close(descriptor); /* last: who sees it can come again */
}

static void refuse(const server *s, const client *c) {
    lull_error error;
    base_fail(&error, LULL_UNSUPPORTED, "the server is full: %d clients at a time",
              s->options->most_clients);
    if (!s->options->quiet)
        cli_note("client %llu: refused, %s", (unsigned long long)c->number, error.message);
    serve_refuse(c->descriptor, &s->limits, &error);
}

static void *serve_client(void *argument) {
    client *c = argument;
    serve_result result;
    if (c->refused) {
        refuse(c->server, c);
    } else {
        serve_stream(c->descriptor, &c->server->limits, &result);
        report(c->server, c, &result);
    }
    leave(c->server, c);
    base_free(c);
    return NULL;
}

static bool start_thread(client *c) {
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, serve_client, c) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static void take_in(server *s, int descriptor) {
    int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes,
               sizeof yes); /* no harm on a Unix socket */
    client *c = base_alloc(1, sizeof *c);
    if (c) *c = (client){.server = s, .descriptor = descriptor};
    bool counted = c && enter(s, c);
    if (counted && start_thread(c)) return;
    if (counted)
        leave(s, c);
    else
        close(descriptor);
    base_free(c);
}

/* ---- the server ----------------------------------------------------------------------------- */

static void accept_from(server *s, int listening) {
    int descriptor = os_socket_accept(listening);
    if (descriptor >= 0) {
        take_in(s, descriptor);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        poll(NULL, 0, 100); /* the client waits in the queue until another has left */
    }
}

/* Until a signal comes. */
static void serve(server *s) {
    struct pollfd waiting[MOST_LISTENERS + 1];
    for (;;) {
        for (int i = 0; i < s->listener_count; i++)
            waiting[i] = (struct pollfd){s->listeners[i].descriptor, POLLIN, 0};
        waiting[s->listener_count] = (struct pollfd){cli_stop_descriptor(), POLLIN, 0};
        if (poll(waiting, (nfds_t)s->listener_count + 1, -1) < 0) continue;
        if (waiting[s->listener_count].revents) return;
        for (int i = 0; i < s->listener_count; i++)
            if (waiting[i].revents) accept_from(s, waiting[i].fd);
    }
}

/* Ends the streams and waits for their threads. */
static void shut_down(server *s) {
    for (int i = 0; i < s->listener_count; i++) listener_close(&s->listeners[i]);
    close(s->wake[1]);
    pthread_mutex_lock(&s->lock);
    while (s->clients + s->refused > 0) pthread_cond_wait(&s->left, &s->lock);
    pthread_mutex_unlock(&s->lock);
    close(s->wake[0]);
}

static lull_status listen_everywhere(server *s, lull_error *error) {
    const serve_options *o = s->options;
    lull_status status = LULL_OK;
    if (o->socket) {
        status = listener_open_file(o->socket, &s->listeners[s->listener_count], error);
        if (!status) s->listener_count++;
    }
    if (!status && o->listen) {
        status = listener_open_address(o->listen, o->allow_remote, &s->listeners[s->listener_count],
                                       error);
        if (!status) s->listener_count++;
    }
    return status;
}

static lull_status prepare(server *s, lull_model **model, lull_model **pitch, lull_error *error) {
    const serve_options *o = s->options;
    lull_vocoder *trial = NULL;
    mel_convention base;
    lull_status status =
        cli_choose_model(o->synthesis.model, o->convention, NULL, model, &base, error);
    if (!status)
        status = cli_reading_init(
            &s->reading, &o->input, &base,
            cli_model_shares_frames(*model, &base) ? &(*model)->config.mel : NULL, error);
    if (status) return status;
    const mel_convention *mel = &s->reading.target;
    s->plain = (lull_model_info){.name = *model ? lull_model_get_info(*model)->name : "no network",
                                 .convention = mel->name,
                                 .bands = mel->bands,
                                 .sample_rate = mel->sample_rate,
                                 .hop = mel->hop,
                                 .n_fft = mel->n_fft};
    s->limits = (serve_limits){.model = *model,
                               .reading = &s->reading,
                               .info = &s->plain,
                               .most_steps = o->most_steps,
                               .hello_seconds = o->hello_seconds,
                               .idle_seconds = o->idle_seconds,
                               .send_seconds = o->send_seconds,
                               .most_seconds = o->most_seconds,
                               .shutdown = s->wake[0]};
    status = lull_pool_new(o->synthesis.threads, &s->pool, error);
    if (status) return status;
    cli_synthesis_options(&o->synthesis, &s->limits.options);
    status = cli_open_pitch(&o->synthesis, *model, &s->limits.options, pitch, error);
    if (status) return status;
    s->limits.options.threads = 1;
    s->limits.options.pool = s->pool;
    /* Options that no client could use are the server's fault: say so now. */
    status = cli_new_vocoder(*model, mel, &s->limits.options, &trial, error);
    lull_vocoder_free(trial);
    return status ? status : listen_everywhere(s, error);
}

static int run(const serve_options *options) {
    server s = {
        .options = options, .lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};
    lull_error error = {LULL_OK, ""};
    lull_model *model = NULL, *pitch = NULL;
    if (cli_stop_descriptor() < 0 || pipe(s.wake) != 0)
        return cli_failf("no pipe: %s", strerror(errno));
    cli_stop_catch(0, false);
    lull_status status = prepare(&s, &model, &pitch, &error);
    if (!status) {
        const lull_model_info *info = s.limits.info;
        for (int i = 0; i < s.listener_count && !options->quiet; i++)
            cli_note("serving %s (%d bands, %d Hz) on %s", info->name, info->bands,
                     info->sample_rate, s.listeners[i].name);
        if (!options->quiet) cli_remark_settings(model, &s.limits.options, true);
        serve(&s);
    }
    shut_down(&s);
    cli_reading_clear(&s.reading);
    lull_pool_free(s.pool);
    lull_model_close(model);
    lull_model_close(pitch);
    return status ? cli_fail(&error) : CLI_OK;
}

int command_serve(int argc, char **argv) {
    serve_options asked = {.synthesis = CLI_SYNTHESIS_DEFAULT,
                           .most_clients = 8,
                           .most_steps = 50,
                           .hello_seconds = 5,
                           .idle_seconds = 60,
                           .send_seconds = 30};
    int first = 0, code = CLI_OK;
    asked.synthesis.threads = 0; /* not said: as many as there are processors */
    const cli_option options[] = {
        CLI_TEXT('k', "socket", "PATH", &asked.socket,
                 "Unix socket to listen on (for this user alone)"),
        CLI_TEXT('L', "listen", "ADDRESS:PORT", &asked.listen,
                 "TCP address to listen on; port 0: a free one"),
        CLI_FLAG(0, "allow-remote", &asked.allow_remote,
                 "listen on addresses that other machines reach"),
        CLI_INT('c', "max-clients", "N", &asked.most_clients, 1, 1024, "at a time (default 8)"),
        CLI_INT(0, "max-steps", "N", &asked.most_steps, 1, 1000,
                "that a client may ask for (default 50)"),
        CLI_NUMBER(0, "max-seconds", "S", &asked.most_seconds, 0, 1e9,
                   "of audio in a stream (default 0: any)"),
        CLI_NUMBER(0, "hello-timeout", "S", &asked.hello_seconds, 0.1, 3600,
                   "for a client to say what it wants (default 5)"),
        CLI_NUMBER(0, "idle-timeout", "S", &asked.idle_seconds, 0, 1e6,
                   "without a whole message (default 60; 0: for ever)"),
        CLI_NUMBER(0, "send-timeout", "S", &asked.send_seconds, 0.1, 1e6,
                   "for a client to take a message (default 30)"),
        CLI_SYNTHESIS_OPTIONS(asked.synthesis),
        CLI_TEXT(0, "convention", "NAME", &asked.convention,
                 "of what clients send: " CLI_CONVENTION_HELP),
        CLI_FLAG(0, "verbose", &asked.verbose, "a line for every client"),
        CLI_FLAG('q', "quiet", &asked.quiet, "say nothing but errors"),
        CLI_MORE,
        CLI_SYNTHESIS_MORE(asked.synthesis),
        CLI_PITCH_OPTION(asked.synthesis),
        CLI_INPUT_OPTIONS(asked.input),
        CLI_END};
    const cli_command_line line = {
        "serve",
        "[OPTIONS] --socket PATH",
        "Takes streams of mel frames from other programs and gives samples back, many at\n"
        "a time (docs/serve.md has the protocol). Options of synthesis are what clients\n"
        "get that do not ask for others; --threads: that all streams share (default: one\n"
        "for each processor). Ends on SIGINT or SIGTERM.",
        NULL,
        options,
        0,
        0};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    if (!cli_input_fine(&asked.input, "serve")) return CLI_USAGE;
    asked.input.quiet = asked.quiet;
    if (!asked.socket && !asked.listen)
        return cli_usage_error("serve",
                               "where to listen? Give --socket PATH or --listen 127.0.0.1:PORT");
    return run(&asked);
}
