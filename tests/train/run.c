/* Whole runs on a tiny network: killed and resumed bit for bit, stopped by a signal, out of disk
 * space, out of numbers. */
#include "helpers.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "model/model.h"
#include "train/checkpoint.h"
#include "train/run.h"

enum { STEPS = 40 };

typedef struct fixture {
    char folder[TEST_PATH], corpus[TEST_PATH];
    model_config config;
    train_settings settings;
} fixture;

static void set_up(fixture *f) {
    tiny_config(&f->config);
    make_temporary(f->folder);
    join(f->corpus, f->folder, "corpus");
    assert_int_equal(mkdir(f->corpus, 0777), 0);
    for (unsigned i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "voice%u.wav", i);
        write_voice(f->corpus, name, i == 3 ? 22050 : 16000, 0.6 + 0.2 * i, i);
    }
    train_settings *s = &f->settings;
    memset(s, 0, sizeof *s);
    train_settings_default(s);
    snprintf(s->corpus, sizeof s->corpus, "%s", f->corpus);
    s->valid_share = 0.3;
    s->batch = 2;
    s->crop_frames = 12;
    s->seed = 3;
    s->warm_up = 10;
    s->degrade = 0.3;
    s->max_steps = STEPS;
    s->eval_every = 15;
    s->checkpoint_seconds = 0;
    s->checkpoint_steps = 7;
    s->valid_crops = 5;
    s->samples = 1;
}

static void tear_down(fixture *f) {
    remove_all(f->folder);
}

/* What a run says, and what a test does about it. */
typedef struct listener {
    char text[16384];
    const char *trigger; /* on a line that holds this … */
    void (*action)(struct listener *l);
    volatile sig_atomic_t stop;
} listener;

static void listen_to(void *context, train_line kind, const char *line) {
    listener *l = context;
    if (kind == TRAIN_LINE_PROGRESS) return;
    strncat(l->text, line, sizeof l->text - strlen(l->text) - 2);
    strcat(l->text, "\n");
    if (l->trigger != NULL && strstr(line, l->trigger) != NULL) l->action(l);
}

static lull_status train_in(fixture *f, const char *name, bool resume, int threads, listener *l,
                            train_result *result, lull_error *error) {
    static listener nobody;
    char run[TEST_PATH];
    if (l == NULL) {
        memset(&nobody, 0, sizeof nobody);
        l = &nobody;
    }
    join(run, f->folder, name);
    const train_run_options options = {.folder = run,
                                       .resume = resume,
                                       .threads = threads,
                                       .stop = &l->stop,
                                       .say = listen_to,
                                       .context = l};
    return train_run(&f->config, &f->settings, &options, result, error);
}

static void train_fine(fixture *f, const char *name, bool resume, int threads) {
    train_result result;
    lull_error error = {0};
    if (train_in(f, name, resume, threads, NULL, &result, &error))
        fail_msg("%s: %s", name, error.message);
    assert_int_equal(result.steps, f->settings.max_steps);
    assert_true(result.checkpointed && !result.interrupted);
}

/* ---- comparing folders -------------------------------------------------------------------- */

static char *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("%s is missing", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static void same_file(const char *a, const char *b) {
    size_t n, m;
    char *left = read_all(a, &n), *right = read_all(b, &m);
    if (n != m || memcmp(left, right, n) != 0) fail_msg("%s and %s differ", a, b);
    free(left);
    free(right);
}

/* Every file of a folder is in the other, the same byte for byte; timing.jsonl is the clock's.
 * Returns their number. */
static int same_files(const char *a, const char *b) {
    int count = 0;
    DIR *directory = opendir(a);
    assert_non_null(directory);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char left[TEST_PATH], right[TEST_PATH];
        struct stat about;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            !strcmp(entry->d_name, "timing.jsonl"))
            continue;
        join(left, a, entry->d_name);
        join(right, b, entry->d_name);
        assert_int_equal(stat(left, &about), 0);
        if (S_ISDIR(about.st_mode)) {
            count += same_files(left, right);
        } else {
            same_file(left, right);
            count++;
        }
    }
    closedir(directory);
    return count;
}

static int same_runs(const fixture *f, const char *a, const char *b) {
    char left[TEST_PATH], right[TEST_PATH];
    join(left, f->folder, a);
    join(right, f->folder, b);
    int count = same_files(left, right);
    assert_int_equal(same_files(right, left), count);
    return count;
}

/* ---- tests -------------------------------------------------------------------------------- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The child trains; what it does with a failure is its exit code. */
static pid_t train_in_child(fixture *f, const char *name, bool resume, listener *l) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        train_result result;
        lull_error error = {0};
        lull_status status = train_in(f, name, resume, 2, l, &result, &error);
        if (status) fprintf(stderr, "%s\n", error.message);
        _exit(status ? 1 : result.checkpointed ? 0 : 3);
    }
    return child;
}

static void killed_and_resumed(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    double begun = now();
    train_fine(&f, "straight", false, 2);
    double whole = now() - begun;
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
    int kills = 0;
    for (int attempt = 0; attempt < 3; attempt++) {
        double after = whole * random_uniform(seed, 0, (uint64_t)attempt);
        pid_t child = train_in_child(&f, "killed", attempt > 0, NULL);
        const struct timespec pause = {(time_t)after, (long)(1e9 * (after - floor(after)))};
        nanosleep(&pause, NULL);
        int how;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        kills += WIFSIGNALED(how);
        char config[TEST_PATH];
        join(config, f.folder, "killed/config.json");
        if (access(config, F_OK) != 0) attempt = -1; /* not even begun: again from nothing */
        if (attempt < 0) {
            char run[TEST_PATH];
            join(run, f.folder, "killed");
            remove_all(run);
            seed++;
        }
    }
    train_fine(&f, "killed", true, 2);
    int files = same_runs(&f, "straight", "killed");
    print_message("  %d kills (seed %u); %d files identical\n", kills, seed, files);
    assert_true(files >= 9);
    /* Resuming a finished run changes nothing. */
    train_fine(&f, "killed", true, 1);
    same_runs(&f, "straight", "killed");
    tear_down(&f);
}

static void any_number_of_threads(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 9;
    f.settings.batch = 5;
    for (int i = 0; i < 3; i++) {
        char one[32], three[32];
        f.settings.bf16 = i == 1;
        f.settings.optimizer = i == 2 ? TRAIN_ADAMW : TRAIN_MUON;
        snprintf(one, sizeof one, "one-%d", i);
        snprintf(three, sizeof three, "three-%d", i);
        train_fine(&f, one, false, 1);
        train_fine(&f, three, false, 3);
        same_runs(&f, one, three);
    }
    tear_down(&f);
}

static void stop_it(listener *l) {
    l->stop = 1;
}

static void stopped_by_a_signal(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 20;
    train_fine(&f, "straight", false, 2);
    listener l = {.trigger = "step 15: training loss", .action = stop_it};
    train_result result;
    assert_int_equal(train_in(&f, "stopped", false, 2, &l, &result, NULL), LULL_OK);
    assert_true(result.interrupted && result.checkpointed);
    assert_int_equal(result.steps, 15);
    train_fine(&f, "stopped", true, 2);
    char a[TEST_PATH], b[TEST_PATH];
    const char *same[] = {"model.safetensors", "log.jsonl", "curve.png",
                          "checkpoints/0000020.safetensors"};
    for (int i = 0; i < 4; i++) {
        snprintf(a, sizeof a, "%.900s/straight/%s", f.folder, same[i]);
        snprintf(b, sizeof b, "%.900s/stopped/%s", f.folder, same[i]);
        same_file(a, b);
    }
    tear_down(&f);
}

/* From now on no file of this process may grow beyond a few kilobytes. */
static void fill_the_disk(listener *l) {
    (void)l;
    const struct rlimit limit = {4096, 4096};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void full_disk(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    char run[TEST_PATH], path[TEST_PATH];
    f.settings.samples = 0;
    listener l = {.trigger = "step 14: checkpoint written", .action = fill_the_disk};
    pid_t child = train_in_child(&f, "full", false, &l);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) &&
                WEXITSTATUS(how) == 3); /* ran to its end, the last state is not on disk */
    join(run, f.folder, "full");
    train_state kept;
    bool found;
    assert_int_equal(train_state_new(&f.config, &kept, NULL), LULL_OK);
    assert_int_equal(train_checkpoint_read(run, &kept, &found, NULL, NULL, NULL), LULL_OK);
    assert_true(found);
    assert_int_equal(kept.progress.step, 14);
    train_state_free(&kept);
    join(path, run, "model.safetensors"); /* whole as well */
    lull_model *model;
    assert_int_equal(lull_model_open(path, &model, NULL), LULL_OK);
    lull_model_close(model);
    train_fine(&f, "full", true, 2);
    train_fine(&f, "straight", false, 2);
    same_runs(&f, "full", "straight");
    tear_down(&f);
}

static void full_disk_is_said(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.samples = 0;
    f.settings.max_steps = 14;
    char run[TEST_PATH], checkpoints[TEST_PATH], moved[TEST_PATH];
    train_fine(&f, "run", false, 1);
    /* A folder that is gone fails as a full disk does, in this process. */
    join(run, f.folder, "run");
    join(checkpoints, run, "checkpoints");
    join(moved, run, "moved");
    static listener l;
    memset(&l, 0, sizeof l);
    train_result result;
    f.settings.max_steps = 15;
    f.settings.checkpoint_steps = 5;
    /* checkpoints becomes a file: nothing can be written into it */
    assert_int_equal(rename(checkpoints, moved), 0);
    FILE *file = fopen(checkpoints, "w");
    assert_non_null(file);
    fclose(file);
    lull_error error = {0};
    assert_int_not_equal(train_in(&f, "run", true, 1, &l, &result, &error), LULL_OK);
    assert_non_null(strstr(error.message, "checkpoints"));
    assert_int_equal(unlink(checkpoints), 0);
    assert_int_equal(rename(moved, checkpoints), 0);
    train_fine(&f, "run", true, 1);
    tear_down(&f);
}

static void numbers_run_out(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    static listener l;
    memset(&l, 0, sizeof l);
    f.settings.samples = 0;
    f.settings.rate = 1e25;
    f.settings.warm_up = 0;
    f.settings.checkpoint_steps = 1;
    train_result result;
    lull_error error = {0};
    assert_int_equal(train_in(&f, "wild", false, 2, &l, &result, &error), LULL_NOT_FINITE);
    assert_non_null(strstr(error.message, "10 steps in a row"));
    assert_true(result.skipped >= 10 && !result.checkpointed);
    assert_non_null(strstr(l.text, "skipped"));
    char run[TEST_PATH];
    join(run, f.folder, "wild");
    train_state kept;
    bool found;
    assert_int_equal(train_state_new(&f.config, &kept, NULL), LULL_OK);
    assert_int_equal(train_checkpoint_read(run, &kept, &found, NULL, NULL, &error), LULL_OK);
    assert_true(found && train_state_finite(&kept));
    train_state_free(&kept);
    tear_down(&f);
}

static void damaged_checkpoint(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    char run[TEST_PATH], path[TEST_PATH];
    f.settings.samples = 0;
    f.settings.max_steps = 14;
    train_fine(&f, "run", false, 2);
    train_fine(&f, "whole", false, 2);
    join(run, f.folder, "run");
    join(path, run, "checkpoints/0000014.safetensors");
    assert_int_equal(truncate(path, 5000), 0);
    static listener l;
    memset(&l, 0, sizeof l);
    train_result result;
    lull_error error = {0};
    if (train_in(&f, "run", true, 2, &l, &result, &error)) fail_msg("%s", error.message);
    assert_non_null(strstr(l.text, "damaged"));
    assert_non_null(strstr(l.text, "resuming after step 7"));
    same_runs(&f, "run", "whole");
    /* A run is not begun over another. */
    assert_int_equal(train_in(&f, "run", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--resume"));
    tear_down(&f);
}

static double first_loss(const fixture *f, const char *name, int line) {
    char path[TEST_PATH];
    size_t size;
    snprintf(path, sizeof path, "%.900s/%s/log.jsonl", f->folder, name);
    char *text = read_all(path, &size), *at = text;
    for (int i = 0; i < line; i++) at = strchr(at, '\n') + 1;
    at = strstr(at, "\"loss\":");
    assert_non_null(at);
    double loss = strtod(at + 7, NULL);
    free(text);
    return loss;
}

/* Two batches of two crops are one batch of four, but for rounding. */
static void accumulation(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 6;
    f.settings.samples = 0;
    f.settings.batch = 4;
    train_fine(&f, "four", false, 2);
    f.settings.batch = 2;
    f.settings.accumulate = 2;
    train_fine(&f, "two", false, 2);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(first_loss(&f, "four", i) / first_loss(&f, "two", i) - 1.0) < 1e-5);
    tear_down(&f);
}

/* The network learns, in both precisions. --init takes over what was
 * learned. */
static void learns(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 150;
    f.settings.samples = 0;
    f.settings.batch = 4;
    f.settings.rate = 5e-3;
    f.settings.degrade = 0;
    f.settings.eval_every = 0;
    f.settings.checkpoint_steps = 150;
    double first[2] = {0}, last[2] = {0};
    for (int bf16 = 0; bf16 < 2; bf16++) {
        char name[32];
        snprintf(name, sizeof name, "v-%d", bf16);
        f.settings.bf16 = bf16 != 0;
        train_fine(&f, name, false, 2);
        for (int i = 0; i < 20; i++) {
            first[bf16] += first_loss(&f, name, i) / 20;
            last[bf16] += first_loss(&f, name, 130 + i) / 20;
        }
    }
    print_message("  mean loss of the first and last 20 of 150 steps: float32 %.4f %.4f, bfloat16 "
                  "%.4f %.4f\n",
                  first[0], last[0], first[1], last[1]);
    assert_true(last[0] < first[0] - 0.02 && fabs(last[1] - last[0]) < 0.01);
    f.settings.bf16 = false;
    snprintf(f.settings.init, sizeof f.settings.init, "%s/v-0/model.safetensors", f.folder);
    f.settings.max_steps = 1;
    train_fine(&f, "further", false, 2);
    assert_true(first_loss(&f, "further", 0) < first_loss(&f, "v-0", 0) - 0.03);
    tear_down(&f);
}

static void learns_by_every_objective(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 40;
    f.settings.samples = 0;
    f.settings.batch = 4;
    f.settings.rate = 5e-3;
    f.settings.degrade = 0;
    f.settings.eval_every = 0;
    f.settings.checkpoint_steps = 40;
    const struct {
        diffusion_objective objective;
        diffusion_schedule_kind kind;
        int loss;
        double stft;
    } others[] = {{DIFFUSION_FLOW, DIFFUSION_LINEAR, TRAIN_LOSS_L2, 0},
                  {DIFFUSION_NOISE, DIFFUSION_BETAS, TRAIN_LOSS_L1, 0},
                  {DIFFUSION_V, DIFFUSION_ANGLE, TRAIN_LOSS_L2, 0.5},
                  {DIFFUSION_FLOW, DIFFUSION_LINEAR, TRAIN_LOSS_L2, 0.5},
                  {DIFFUSION_DATA, DIFFUSION_ANGLE, TRAIN_LOSS_L2, 0},
                  {DIFFUSION_DATA, DIFFUSION_ANGLE, TRAIN_LOSS_L1, 0.5}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%zu", i);
        f.config.objective = others[i].objective;
        f.config.schedule = (diffusion_schedule){others[i].kind, 50, 1e-4, 0.05};
        f.config.sampler =
            others[i].kind == DIFFUSION_LINEAR ? LULL_SAMPLER_EULER : LULL_SAMPLER_DDIM;
        f.settings.loss = others[i].loss;
        f.settings.stft = others[i].stft;
        train_fine(&f, name, false, 2);
        double early = 0.0, late = 0.0;
        for (int k = 0; k < 8; k++) {
            early += first_loss(&f, name, k);
            late += first_loss(&f, name, 32 + k);
        }
        assert_true(isfinite(late) && late < early);
    }
    tear_down(&f);
}

/* Wherever memory runs out, the run fails and says so, and can be begun or resumed afterwards. */
static void memory_runs_out(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.settings.max_steps = 1;
    f.settings.samples = 0;
    int failures = 0;
    for (size_t n = 1; n < 2000; n += 1 + n / 6) {
        char name[32], run[TEST_PATH], log[TEST_PATH];
        snprintf(name, sizeof name, "run-%zu", n);
        train_result result;
        lull_error error = {0};
        base_memory_fail_at(n);
        lull_status status = train_in(&f, name, false, 1, NULL, &result, &error);
        base_memory_fail_at(0);
        if (status != LULL_OK) {
            assert_true(error.status == status && error.message[0] != '\0');
            failures++;
        }
        if (status == LULL_OK) break;
        join(run, f.folder, name);
        snprintf(log, sizeof log, "%.1000s/log.jsonl", run);
        train_fine(&f, name, access(log, F_OK) == 0, 1);
    }
    assert_true(failures > 10);
    tear_down(&f);
}

static model_parameters *weights_of(fixture *f, const char *name, const model_config *config) {
    char path[TEST_PATH];
    safetensors *file;
    model_parameters *p;
    lull_error error = {0};
    join(path, f->folder, name);
    assert_int_equal(model_parameters_new(config, &p, &error), LULL_OK);
    if (safetensors_open(path, &file, &error) || model_parameters_read(p, file, "", path, &error))
        fail_msg("%s: %s", name, error.message);
    safetensors_close(file);
    return p;
}

/* The last "valid_loss_degraded" of a run's log, or the first. */
static double degraded_loss(fixture *f, const char *run, bool last) {
    char path[TEST_PATH], name[TEST_PATH];
    size_t size;
    snprintf(name, sizeof name, "%s/log.jsonl", run);
    join(path, f->folder, name);
    char *text = read_all(path, &size), *at = text;
    double loss = NAN;
    while ((at = strstr(at, "\"valid_loss_degraded\":")) != NULL) {
        at += 22;
        loss = strtod(at, NULL);
        if (!last) break;
    }
    free(text);
    return loss;
}

/* A postnet for a trained model: the denoiser stays bit for bit, the postnet learns; killed and
 * resumed it ends where it would have; it goes on from itself. */
static void postnet_of_a_model(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    model_config bare = f.config;
    f.settings.max_steps = 5;
    train_fine(&f, "bare", false, 2);
    model_parameters *before = weights_of(&f, "bare/model.safetensors", &bare);

    f.config.postnet_channels = 4;
    f.config.postnet_layers = 2;
    f.config.postnet_look_ahead = 1;
    f.config.uses[LULL_LIVE].postnet = f.config.uses[LULL_OFFLINE].postnet = true;
    train_settings_of(&f.settings, TRAIN_POSTNET);
    f.settings.batch = 4;
    f.settings.crop_frames = 12;
    f.settings.max_steps = STEPS;
    f.settings.rate = 5e-3;
    f.settings.average = 0.9;
    train_result result;
    lull_error error = {0};
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--init"));
    snprintf(f.settings.init, sizeof f.settings.init, "%s/bare/model.safetensors", f.folder);
    f.settings.optimizer = TRAIN_MUON;
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    f.settings.optimizer = TRAIN_ADAMW;

    train_fine(&f, "straight", false, 3);
    char run[TEST_PATH];
    pid_t child = train_in_child(&f, "parts", false, NULL);
    const struct timespec pause = {0, 60000000};
    nanosleep(&pause, NULL);
    int how;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    join(run, f.folder, "parts/config.json");
    train_fine(&f, "parts", access(run, F_OK) == 0, 2);
    same_runs(&f, "straight", "parts");

    model_parameters *after = weights_of(&f, "straight/model.safetensors", &f.config);
    assert_true(after->size > before->size);
    assert_memory_equal(before->data, after->data, before->size * sizeof(float));
    double first = degraded_loss(&f, "straight", false), last = degraded_loss(&f, "straight", true);
    print_message("  error of degraded mels %.4f after 15 steps, %.4f at the end\n", first, last);
    assert_true(last < first);

    /* From itself. */
    snprintf(f.settings.init, sizeof f.settings.init, "%s/straight/model.safetensors", f.folder);
    f.settings.max_steps = 15;
    f.settings.rate = 0;
    train_fine(&f, "on", false, 1);
    assert_true(fabs(degraded_loss(&f, "on", true) - last) < 1e-4);
    model_parameters_free(before);
    model_parameters_free(after);
    tear_down(&f);
}

/* A trained model gets the pitch source beside its signal: what it was stays (but for the average's
 * rounding), what reads the source begins at zero and learns; killed and resumed, on another number of threads, it
 * ends where it would have. */
static void source_for_a_model(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    model_config bare = f.config;
    f.settings.max_steps = 5;
    f.settings.samples = 0;
    train_fine(&f, "bare", false, 2);
    model_parameters *before = weights_of(&f, "bare/model.safetensors", &bare);
    snprintf(f.settings.init, sizeof f.settings.init, "%s/bare/model.safetensors", f.folder);
    f.config.source = true;
    f.settings.rate = 0;
    f.settings.max_steps = 1;
    train_fine(&f, "still", false, 1);
    f.settings.rate = 5e-3;
    f.settings.samples = 1;
    f.settings.max_steps = STEPS;
    train_fine(&f, "straight", false, 3);
    char run[TEST_PATH];
    pid_t child = train_in_child(&f, "parts", false, NULL);
    const struct timespec pause = {0, 60000000};
    nanosleep(&pause, NULL);
    int how;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    join(run, f.folder, "parts/config.json");
    train_fine(&f, "parts", access(run, F_OK) == 0, 2);
    same_runs(&f, "straight", "parts");

    model_parameters *still = weights_of(&f, "still/model.safetensors", &f.config);
    model_parameters *after = weights_of(&f, "straight/model.safetensors", &f.config);
    int patch = bare.patch;
    size_t c = (size_t)bare.channels;
    const float *narrow = model_parameters_weight(before, MODEL_INPUT_PROJECTION, 0);
    const float *wide = model_parameters_weight(still, MODEL_INPUT_PROJECTION, 0);
    const float *learned = model_parameters_weight(after, MODEL_INPUT_PROJECTION, 0);
    double moved = 0.0;
    for (size_t o = 0; o < c; o++)
        for (int i = 0; i < patch; i++) {
            size_t at = o * 2 * (size_t)patch + (size_t)i;
            assert_true(fabsf(wide[at] - narrow[o * (size_t)patch + (size_t)i]) < 1e-6f);
            assert_true(wide[at + (size_t)patch] == 0.0f);
            moved += fabs(learned[at + (size_t)patch]);
        }
    assert_true(moved > 0.0);
    size_t size = c * (size_t)patch; /* the input's weights come first: all others as they were */
    assert_int_equal(still->size, before->size + size);
    assert_ptr_equal(narrow, before->data);
    for (size_t i = size; i < before->size; i++)
        assert_true(fabsf(still->data[i + size] - before->data[i]) < 1e-6f);
    model_parameters_free(before);
    model_parameters_free(still);
    model_parameters_free(after);
    tear_down(&f);
}

/* Loss in the last lines of a run's log.jsonl less that of its first ones. */
static double fall_of_loss(const fixture *f, const char *name) {
    char path[TEST_PATH], inside[TEST_PATH];
    size_t size;
    snprintf(inside, sizeof inside, "%s/log.jsonl", name);
    join(path, f->folder, inside);
    char *text = read_all(path, &size);
    double losses[4 * STEPS];
    int n = 0;
    for (char *at = text; n < 4 * STEPS && (at = strstr(at, "\"loss\":")) != NULL; at += 7)
        losses[n++] = strtod(at + 7, NULL);
    free(text);
    assert_true(n >= 12);
    double first = 0, last = 0;
    for (int i = 0; i < 5; i++) {
        first += losses[i] / 5;
        last += losses[n - 1 - i] / 5;
    }
    print_message("  loss %.4f at first, %.4f at the end\n", first, last);
    return first - last;
}

/* A pitch network by itself: it learns; stopped and resumed it ends where it would have. Then one for
 * a model that has a denoiser, which stays bit for bit. */
static void pitch_network(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    model_config bare = f.config;
    f.settings.max_steps = 3;
    train_fine(&f, "bare", false, 2);
    model_parameters *before = weights_of(&f, "bare/model.safetensors", &bare);

    model_config_pitch(&f.config);
    f.config.pitch_channels = 16;
    f.config.pitch_layers = 3;
    train_settings_of(&f.settings, TRAIN_PITCH);
    f.settings.batch = 4;
    f.settings.crop_frames = 16;
    f.settings.conventions = 3;
    f.settings.valid_crops = 4;
    f.settings.average = 0.9;
    f.settings.max_steps = STEPS;
    f.settings.checkpoint_steps = STEPS / 2;
    f.settings.warm_up = 2;
    train_result result;
    lull_error error = {0};
    f.settings.optimizer = TRAIN_MUON;
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    f.settings.optimizer = TRAIN_ADAMW;
    f.settings.part = TRAIN_DENOISER;
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--part pitch"));
    f.settings.part = TRAIN_PITCH;

    train_fine(&f, "alone", false, 3);
    assert_true(fall_of_loss(&f, "alone") > 0.05);
    char run[TEST_PATH];
    pid_t child = train_in_child(&f, "halves", false, NULL);
    const struct timespec pause = {0, 90000000};
    nanosleep(&pause, NULL);
    int how;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    join(run, f.folder, "halves/config.json");
    train_fine(&f, "halves", access(run, F_OK) == 0, 2);
    same_runs(&f, "alone", "halves");

    f.config = bare;
    model_config_add_pitch(&f.config);
    f.config.pitch_channels = 8;
    snprintf(f.settings.init, sizeof f.settings.init, "%s/bare/model.safetensors", f.folder);
    f.settings.max_steps = 4;
    train_fine(&f, "with", false, 1);
    model_parameters *after = weights_of(&f, "with/model.safetensors", &f.config);
    assert_true(after->size > before->size);
    assert_memory_equal(before->data, after->data, before->size * sizeof(float));
    model_parameters_free(before);
    model_parameters_free(after);
    tear_down(&f);
}

/* A bandwidth network for a model, which stays bit for bit as it was; there is none without a model. */
static void bandwidth_network(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (unsigned i = 6; i < 14; i++) { /* that reach above 8 kHz */
        char name[32];
        snprintf(name, sizeof name, "voice%u.wav", i);
        write_voice(f.corpus, name, 24000, 1, i);
    }
    model_config bare = f.config;
    f.settings.max_steps = 3;
    train_fine(&f, "bare", false, 2);
    model_parameters *before = weights_of(&f, "bare/model.safetensors", &bare);
    model_config_add_bandwidth(&f.config);
    f.config.bandwidth_channels = 8;
    train_settings_of(&f.settings, TRAIN_BANDWIDTH);
    f.settings.batch = 4;
    f.settings.crop_frames = 16;
    f.settings.conventions = 3;
    f.settings.valid_crops = 4;
    f.settings.max_steps = STEPS;
    f.settings.warm_up = 2;
    train_result result;
    lull_error error = {0};
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--init"));
    snprintf(f.settings.init, sizeof f.settings.init, "%s/bare/model.safetensors", f.folder);
    train_fine(&f, "with", false, 1);
    assert_true(fall_of_loss(&f, "with") > 0.004);
    model_parameters *after = weights_of(&f, "with/model.safetensors", &f.config);
    assert_true(after->size > before->size);
    assert_memory_equal(before->data, after->data, before->size * sizeof(float));
    model_parameters_free(before);
    model_parameters_free(after);
    tear_down(&f);
}

/* A spectrum network for a model, which stays bit for bit as it was. */
static void spectrum_network(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    model_config bare = f.config;
    f.settings.max_steps = 3;
    train_fine(&f, "bare", false, 2);
    model_parameters *before = weights_of(&f, "bare/model.safetensors", &bare);
    model_config_add_spectrum(&f.config);
    f.config.spectrum_channels = 8;
    train_settings_of(&f.settings, TRAIN_SPECTRUM);
    /* Every convention in every step. */
    f.settings.batch = 28;
    f.settings.crop_frames = 16;
    f.settings.valid_crops = 4;
    f.settings.max_steps = STEPS;
    f.settings.warm_up = 2;
    f.settings.eval_every = 10;
    f.settings.degrade = 0.1;
    train_result result;
    lull_error error = {0};
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--init"));
    snprintf(f.settings.init, sizeof f.settings.init, "%s/bare/model.safetensors", f.folder);
    /* Crops that end before refinement is as in synthesis are refused. */
    f.settings.crop_frames = 9;
    assert_int_equal(train_in(&f, "none", false, 1, NULL, &result, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "--crop-frames"));
    f.settings.crop_frames = 16;
    /* On magnitudes alone, and through refinement. */
    f.settings.magnitudes = STEPS;
    train_fine(&f, "magnitudes", false, 1);
    assert_true(fall_of_loss(&f, "magnitudes") > 1e-4);
    f.settings.magnitudes = 0;
    f.settings.rate = 2e-3;
    train_fine(&f, "with", false, 1);
    assert_true(degraded_loss(&f, "with", true) < degraded_loss(&f, "with", false));
    model_parameters *after = weights_of(&f, "with/model.safetensors", &f.config);
    assert_true(after->size > before->size);
    assert_memory_equal(before->data, after->data, before->size * sizeof(float));
    model_parameters_free(before);
    model_parameters_free(after);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_and_resumed),
        cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(stopped_by_a_signal),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(full_disk_is_said),
        cmocka_unit_test(numbers_run_out),
        cmocka_unit_test(damaged_checkpoint),
        cmocka_unit_test(accumulation),
        cmocka_unit_test(learns),
        cmocka_unit_test(learns_by_every_objective),
        cmocka_unit_test(postnet_of_a_model),
        cmocka_unit_test(source_for_a_model),
        cmocka_unit_test(pitch_network),
        cmocka_unit_test(bandwidth_network),
        cmocka_unit_test(spectrum_network),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
