/* Every allocation of a run of a command fails in turn: the command ends with 1 and a line that
 * says so (or does without, with the same output), leaves no file behind, and frees what it had.
 *
 *     allocations COMMAND      one of the names in `cases`, or all of them
 *
 * FAILURE_GO_ON=1 lists all complaints. The commands are the program's own functions, in this
 * process; play has sound_card.c for a sound card. The allocations inside libsndfile, soxr, FFTW,
 * OpenBLAS and libpng are theirs. FAILURE_STRIDE=N tries every N-th only.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "model/model.h"
#include "cli/reading.h"
#include "cli/commands.h"
#include "cli/serve_protocol.h"
#include "cli/serve_stream.h"
#include "recording/audio_file.h"
#include "io/npy.h"

/* ---- what is allocated ---------------------------------------------------------------------- */

/* base_alloc's aligned_alloc and free come here (--wrap): a set of what is alive, by address. */
enum { BUCKETS = 4096 };
typedef struct node {
    void *memory;
    size_t number;
    struct node *next;
} node;
static node *alive[BUCKETS];
static size_t alive_count, allocation_number;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *memory);

static size_t bucket_of(const void *memory) {
    return ((uintptr_t)memory >> 6) % BUCKETS;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    void *memory = __real_aligned_alloc(alignment, size);
    node *n = malloc(sizeof *n);
    expect(n);
    pthread_mutex_lock(&lock);
    *n = (node){memory, allocation_number++, alive[bucket_of(memory)]};
    alive[bucket_of(memory)] = n;
    alive_count++;
    pthread_mutex_unlock(&lock);
    return memory;
}

void __wrap_free(void *memory) {
    pthread_mutex_lock(&lock);
    node **at = &alive[bucket_of(memory)];
    while (*at && (*at)->memory != memory) at = &(*at)->next;
    node *found = *at;
    if (found) {
        *at = found->next;
        alive_count--;
    }
    pthread_mutex_unlock(&lock);
    __real_free(memory);
    __real_free(found);
}

/* What takes time on purpose is cut short (--wrap): naps between two looks, and the measurement of
 * the processor's peak. */
int __real_poll(struct pollfd *polled, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout);
double __wrap_nn_peak_f32(double seconds);
double __wrap_nn_peak_bf16(double seconds);

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout) {
    return __real_poll(polled, count, count == 0 ? 1 : timeout);
}

double __wrap_nn_peak_f32(double seconds) {
    return 100 + 0 * seconds;
}

double __wrap_nn_peak_bf16(double seconds) {
    return 200 + 0 * seconds;
}

/* ---- a folder to work in -------------------------------------------------------------------- */

static char folder[256];

static const char *in_folder(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text) {
    FILE *file = fopen(in_folder(name), "w");
    expect(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void write_voice(const char *name, int rate, size_t n) {
    recording_writer *writer;
    float *samples = malloc(n * sizeof *samples);
    expect(samples);
    for (size_t i = 0; i < n; i++)
        samples[i] = 0.3f * sinf((float)i * 0.09f) * (1 + 0.5f * sinf((float)i * 0.003f));
    expect(!recording_writer_open(in_folder(name), rate, RECORDING_PCM16, &writer, NULL));
    expect(!recording_writer_write(writer, samples, n, NULL));
    expect(!recording_writer_commit(writer, NULL));
    __real_free(samples);
}

static const char configuration[] =
    "{\"format\":1,\"family\":\"lull\",\"name\":\"tiny\",\"mel\":{\"convention\":\"hifigan\","
    "\"sample_rate\":8000,\"n_fft\":128,\"window\":128,\"hop\":32,\"bands\":8,\"fmax\":4000},"
    "\"network\":{\"patch\":8,\"channels\":4,\"layers\":2,\"dilations\":[1,2],\"look_ahead\":[1,0],"
    "\"embedding\":{\"hidden\":8,\"frequencies\":4},"
    "\"conditioner\":{\"channels\":4,\"kernel\":3,\"layers\":1,\"look_ahead\":1}}}";

static void prepare(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/lull-failure-XXXXXX", base ? base : "/tmp");
    expect(mkdtemp(folder));
    lull_model *model = tiny_model();
    lull_error error = {0};
    lull_status status =
        model_write(in_folder("tiny.safetensors"), &model->config, model->parameters,
                    "{\"steps\":3,\"corpus\":\"two voices\"}", false, &error);
    if (status) fprintf(stderr, "%s\n", error.message);
    expect(!status);
    lull_model_close(model);
    write_text("tiny.json", configuration);
    expect(mkdir(in_folder("in"), 0777) == 0 && mkdir(in_folder("out"), 0777) == 0);
    write_voice("in/a.wav", 8000, 16000);
    write_voice("in/b.wav", 16000, 12000);
    write_voice("copy.wav", 8000, 16000);
    size_t shape[2] = {8, 12};
    float mel[96];
    for (int i = 0; i < 96; i++) mel[i] = -5 + 2 * sinf((float)i);
    expect(!npy_write(in_folder("mel.npy"), mel, 2, shape, NULL));
    FILE *frames = fopen(in_folder("frames"), "w"); /* standard input of every run */
    expect(frames && fwrite(mel, sizeof *mel, 96, frames) == 96 && fclose(frames) == 0);
}

/* Removes all in `path`, and it. */
static void remove_tree(const char *path) {
    DIR *open = opendir(path);
    if (!open) {
        unlink(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(open));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char inner[1024];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        remove_tree(inner);
    }
    closedir(open);
    rmdir(path);
}

/* Sum over all files below: sizes, names' letters and contents, digits left out when `wordly`.
 * *count: how many. */
static uint64_t digest_tree(const char *path, bool wordly, int *count) {
    uint64_t sum = 1469598103934665603u;
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char inner[1024];
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
        bool self = !strcmp(names[i]->d_name, ".") || !strcmp(names[i]->d_name, "..");
        struct stat status;
        if (!self && stat(inner, &status) == 0 && S_ISDIR(status.st_mode)) {
            sum = sum * 1099511628211u + digest_tree(inner, wordly, count);
        } else if (!self) {
            FILE *file = fopen(inner, "rb");
            for (int c; file && (c = getc(file)) != EOF;)
                if (!wordly || !strchr("0123456789.e+-", c))
                    sum = (sum ^ (uint64_t)c) * 1099511628211u;
            if (file) fclose(file);
            ++*count;
        }
        __real_free(names[i]);
    }
    if (n >= 0) __real_free(names);
    return sum;
}

/* ---- commands ------------------------------------------------------------------------------- */

typedef struct failing_case {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: serve_stream */
    const char *words[20];             /* %… stands for the folder */
    bool keeps_files;                  /* what was complete before the failure may stay */
    enum {
        SAME,
        OTHER_NUMBERS, /* they are measurements */
        OTHER          /* with less memory: pictures without a palette, fewer samples */
    } output;          /* of a run that does without the memory */
} failing_case;

static const failing_case cases[] = {
    {"synth",
     command_synth,
     {"synth", "-q", "-m", "%tiny.safetensors", "-n", "2", "-r", "1", "-t", "2", "%mel.npy", "-o",
      "%out/mel.wav"},
     false,
     SAME},
    {"copy",
     command_synth,
     {"synth", "-q", "-m", "%tiny.safetensors", "-n", "1", "-r", "0", "%in/b.wav", "-o",
      "%out/b.wav"},
     false,
     SAME},
    {"batch",
     command_synth,
     {"synth", "-q", "-m", "%tiny.safetensors", "-n", "1", "-r", "0", "-j", "2", "%in", "-o",
      "%out"},
     true,
     SAME},
    {"trace",
     command_synth,
     {"synth", "-q", "-m", "%tiny.safetensors", "-n", "2", "-r", "1", "%mel.npy", "-o",
      "%out/mel.wav", "-T", "%out/trace"},
     true,
     OTHER},
    {"griffin_lim",
     command_synth,
     {"synth", "-q", "-g", "2", "-c", "hifigan,sample_rate=8000", "%in/a.wav", "-o", "%out/a.wav"},
     false,
     SAME},
    {"mel",
     command_mel,
     {"mel", "-q", "-m", "%tiny.safetensors", "%in/b.wav", "-o", "%out/b.npy"},
     false,
     SAME},
    {"info", command_info, {"info", "%tiny.safetensors"}, false, SAME},
    {"info_json", command_info, {"info", "--json", "%tiny.safetensors"}, false, SAME},
    {"plot",
     command_plot,
     {"plot", "-q", "-W", "300", "-H", "100", "%in/a.wav", "-o", "%out/a.png"},
     false,
     OTHER},
    {"eval", command_eval, {"eval", "-q", "%in/a.wav", "%copy.wav"}, false, SAME},
    {"train",
     command_train,
     {"train", "-q", "%in", "-o", "%out/run", "--config", "%tiny.json", "--max-steps", "1",
      "--batch", "1", "--crop-frames", "16", "--samples", "1", "-t", "1"},
     true,
     OTHER},
    {"play",
     command_play,
     {"play", "-q", "-m", "%tiny.safetensors", "-n", "1", "-r", "1", "%mel.npy"},
     false,
     SAME},
    {"play_stdin",
     command_play,
     {"play", "-q", "-m", "%tiny.safetensors", "-n", "1", "-r", "0", "--rate", "16000", "-"},
     false,
     SAME},
    {"play_tee",
     command_play,
     {"play", "-m", "%tiny.safetensors", "-n", "1", "-r", "0", "--tee", "%out/a.wav", "%in/a.wav"},
     false,
     SAME},
    {"bench",
     command_bench,
     {"bench", "-m", "%tiny.safetensors", "-n", "1", "-r", "1", "--seconds", "0.1", "--rounds", "1",
      "--brief", "--json"},
     false,
     OTHER_NUMBERS},
    {"bench_all",
     command_bench,
     {"bench", "-m", "%tiny.safetensors", "-n", "1", "-r", "1", "--seconds", "0.1", "--rounds", "1",
      "--stream", "0.01", "--json"},
     false,
     OTHER_NUMBERS},
    {"bench_train",
     command_bench,
     {"bench", "train", "--config", "%tiny.json", "--batch", "1", "--crop-frames", "16",
      "--seconds", "0", "--json"},
     false,
     OTHER_NUMBERS},
    {"serve", NULL, {NULL}, false, SAME},
};

static int serve_once(void) {
    static int never[2] = {-1, -1};
    if (never[0] < 0) expect(pipe(never) == 0);
    lull_error error = {0};
    lull_model *model = NULL;
    if (lull_model_open(in_folder("tiny.safetensors"), &model, &error)) {
        fprintf(stderr, "lull: %s\n", error.message);
        return 1;
    }
    cli_reading reading = {0};
    if (cli_reading_init(&reading, &(cli_input_options){0}, &model->config.mel, &model->config.mel,
                         &error)) {
        fprintf(stderr, "lull: %s\n", error.message);
        lull_model_close(model);
        return 1;
    }
    unsigned char hello[SERVE_HELLO_SIZE], header[SERVE_HEADER_SIZE], payload[8 * 4 * 6];
    serve_put_hello(
        &(serve_hello){.bands = 8, .seed = 1, .steps = 1, .refine = 1, .refine_window = 1}, hello);
    serve_put_header(SERVE_FRAMES, sizeof payload, header);
    float frames[48];
    for (int i = 0; i < 48; i++) frames[i] = -5 + sinf((float)i);
    serve_put_floats(frames, 48, payload);
    int pair[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    expect(send(pair[0], hello, sizeof hello, 0) == sizeof hello);
    expect(send(pair[0], header, sizeof header, 0) == sizeof header);
    expect(send(pair[0], payload, sizeof payload, 0) == sizeof payload);
    shutdown(pair[0], SHUT_WR);
    lull_options options;
    lull_options_init(&options);
    serve_limits limits = {.model = model,
                           .reading = &reading,
                           .info = lull_model_get_info(model),
                           .options = options,
                           .most_steps = 4,
                           .hello_seconds = 60,
                           .idle_seconds = 60,
                           .send_seconds = 60,
                           .shutdown = never[0]};
    serve_result result;
    serve_stream(pair[1], &limits, &result);
    close(pair[1]);
    unsigned char answer[16384];
    size_t got = 0;
    for (ssize_t n; (n = recv(pair[0], answer + got, sizeof answer - got, 0)) > 0;)
        got += (size_t)n;
    close(pair[0]);
    cli_reading_clear(&reading);
    lull_model_close(model);
    if (!result.error.status) return 0;
    /* The client is told. */
    expect(got >= SERVE_HEADER_SIZE + 4);
    fprintf(stderr, "lull: %s\n", result.error.message);
    return 1;
}

static int run_case(const failing_case *c) {
    if (!c->run) return serve_once();
    char *words[21];
    int count = 0;
    for (; c->words[count]; count++)
        words[count] =
            (char *)(c->words[count][0] == '%' ? in_folder(c->words[count] + 1) : c->words[count]);
    /* in_folder has eight places; words are copied so that none is used twice. */
    for (int i = 0; i < count; i++) expect(words[i] = strdup(words[i]));
    words[count] = NULL;
    int code = c->run(count, words);
    for (int i = 0; i < count; i++) __real_free(words[i]);
    return code;
}

/* Runs with output and messages in files. */
static int run_quietly(const failing_case *c, char *message, size_t room) {
    int saved_in = dup(0), saved_out = dup(1), saved_err = dup(2),
        in = open(in_folder("frames"), O_RDONLY),
        out = open(in_folder("out/.stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0666),
        err = memfd_create("stderr", 0);
    fflush(stdout);
    expect(saved_in >= 0 && saved_out >= 0 && saved_err >= 0 && in >= 0 && out >= 0 && err >= 0);
    dup2(in, 0), dup2(out, 1), dup2(err, 2);
    int code = run_case(c);
    fflush(stdout), fflush(stderr);
    dup2(saved_in, 0), dup2(saved_out, 1), dup2(saved_err, 2);
    ssize_t n = pread(err, message, room - 1, 0);
    message[n > 0 ? n : 0] = '\0';
    close(in), close(out), close(err), close(saved_in), close(saved_out), close(saved_err);
    if (code) unlink(in_folder("out/.stdout"));
    return code;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *open = opendir("/proc/self/fd");
    expect(open);
    while (readdir(open)) count++;
    closedir(open);
    return count;
}

static void clear_output(void) {
    remove_tree(in_folder("out"));
    expect(mkdir(in_folder("out"), 0777) == 0);
}

static void describe_leak(const failing_case *c, size_t n, size_t before) {
    fprintf(stderr, "%s: allocation %zu fails: %zu alive, %zu before\n", c->name, n, alive_count,
            before);
    for (int i = 0; i < BUCKETS; i++)
        for (const node *at = alive[i]; at; at = at->next)
            fprintf(stderr, "  alive: allocation %zu\n", at->number);
}

static void test_case(const failing_case *c) {
    char message[4096];
    const char *given = getenv("FAILURE_STRIDE");
    size_t stride = given ? strtoul(given, NULL, 10) : 1, tried = 0, without = 0;
    expect(stride > 0);
    /* Once to fill what is kept for ever (FFT plans, tables), once to see what is right. */
    for (int i = 0; i < 2; i++) {
        clear_output();
        int code = run_quietly(c, message, sizeof message);
        if (code) fprintf(stderr, "%s: %s\n", c->name, message);
        expect(code == 0);
    }
    int files = 0, descriptors = open_descriptors();
    uint64_t right = digest_tree(in_folder("out"), c->output == OTHER_NUMBERS, &files);
    size_t before = alive_count;
    for (size_t n = getenv("FAILURE_FIRST") ? strtoul(getenv("FAILURE_FIRST"), NULL, 10) : 1;;
         n += stride) {
        clear_output();
        allocation_number = 0;
        base_memory_fail_at(n);
        int code = run_quietly(c, message, sizeof message);
        bool reached = allocation_number + 1 >= n; /* that many before it succeeded */
        base_memory_fail_at(0);
        if (alive_count > before) {
            /* Kept for ever once (another FFT plan), or lost every time? */
            size_t now = alive_count;
            clear_output();
            base_memory_fail_at(n);
            code = run_quietly(c, message, sizeof message);
            base_memory_fail_at(0);
            if (alive_count == now) before = now;
        }
        if (alive_count != before) describe_leak(c, n, before);
        expect(getenv("FAILURE_GO_ON") || alive_count == before);
        expect(open_descriptors() == descriptors);
        int left = 0;
        uint64_t digest = digest_tree(in_folder("out"), c->output == OTHER_NUMBERS, &left);
        tried++;
        if (code == 0) {
            if (c->output != OTHER && digest != right)
                fprintf(stderr, "%s: allocation %zu: other output\n", c->name, n);
            expect(c->output == OTHER || digest == right);
            if (!reached) break;
            without++;
        } else {
            if (code != 1 || strncmp(message, "lull: ", 6) != 0)
                fprintf(stderr, "%s: allocation %zu: code %d, '%s'\n", c->name, n, code, message);
            expect(code == 1 && strncmp(message, "lull: ", 6) == 0);
            if (!strstr(message, "memory"))
                fprintf(stderr, "%s: allocation %zu: said '%s'\n", c->name, n, message);
            expect(getenv("FAILURE_GO_ON") || strstr(message, "memory"));
            if (!c->keeps_files && left > 0)
                fprintf(stderr, "%s: allocation %zu left a file\n", c->name, n);
            expect(c->keeps_files || left == 0);
        }
    }
    printf("%-12s %zu failing allocations (%zu of them done without)\n", c->name, tried - 1,
           without);
    fflush(stdout);
}

int main(int argc, char **argv) {
    /* lull bench starts the program that it is. */
    if (strcmp(argv[0], "lull") == 0) return command_synth(argc - 1, argv + 1);
    prepare();
    int done = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc < 2 || !strcmp(argv[1], cases[i].name)) {
            test_case(&cases[i]);
            done++;
        }
    remove_tree(folder);
    expect(done > 0);
    return 0;
}
