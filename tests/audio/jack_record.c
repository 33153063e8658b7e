/* For the live tests: a JACK client "lullrec" with one input port, to which PortAudio plays as to a
 * device. Writes what arrives as raw float32 to standard output until its standard input ends. */
#include <jack/jack.h>
#include <stdio.h>
#include <unistd.h>

enum { ROOM = 1 << 23 };

static float samples[ROOM];
static size_t count;
static jack_port_t *port;

static int process(jack_nframes_t n, void *argument) {
    (void)argument;
    const float *in = jack_port_get_buffer(port, n);
    for (jack_nframes_t i = 0; i < n && count < ROOM; i++) samples[count++] = in[i];
    return 0;
}

int main(void) {
    char c;
    jack_client_t *client = jack_client_open("lullrec", JackNoStartServer, NULL);
    if (!client) return 1;
    port = jack_port_register(client, "in", JACK_DEFAULT_AUDIO_TYPE,
                              JackPortIsInput | JackPortIsPhysical | JackPortIsTerminal, 0);
    jack_set_process_callback(client, process, NULL);
    if (!port || jack_activate(client) != 0) return 1;
    fprintf(stderr, "ready\n");
    while (read(STDIN_FILENO, &c, 1) > 0) continue;
    jack_deactivate(client);
    jack_client_close(client);
    return fwrite(samples, sizeof *samples, count, stdout) == count ? 0 : 1;
}
