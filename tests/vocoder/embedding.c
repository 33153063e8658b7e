/* What programs that embed the vocoder rely on: what it will take is known before, work and waiting
 * are bounded, threads may be shared, stacks small, and frames of another kind are refused. */
#include "models.h"

#include <pthread.h>
#include <time.h>
#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

static const char shipped[] = "models/lull-speech-22k.safetensors";

static lull_vocoder *new_vocoder(const lull_model *model, const lull_options *options) {
    lull_error error;
    lull_vocoder *vocoder = NULL;
    if (lull_vocoder_new(model, options, &vocoder, &error)) fail_msg("%s", error.message);
    return vocoder;
}

static lull_options defaults(void) {
    lull_options options;
    lull_options_init(&options);
    return options;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void nap(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* ---- the queue ---- */

/* A queue of 1 or 2 frames, and a postnet that looks 2 ahead: it must still move. */
static void short_queues(void **state) {
    (void)state;
    enum { FRAMES = 12 };
    lull_model *model = open_model(shipped);
    const mel_convention *convention = &model->config.mel;
    size_t samples = FRAMES * (size_t)convention->hop;
    float *mel = random_mel(convention, FRAMES);
    float *should = base_alloc(samples, sizeof *should), *is = base_alloc(samples, sizeof *is);
    for (size_t queue = 0; queue <= 3; queue++) {
        lull_options options = defaults();
        options.queue_frames = queue;
        lull_vocoder *vocoder = new_vocoder(model, &options);
        size_t pushed = 0, got = 0;
        for (int round = 0; got < samples; round++) {
            size_t accepted = 0, produced = 0;
            assert_true(round < 100);
            if (pushed < FRAMES)
                assert_int_equal(lull_vocoder_push(vocoder,
                                                   mel + pushed * (size_t)convention->bands,
                                                   FRAMES - pushed, &accepted, NULL),
                                 LULL_OK);
            pushed += accepted;
            if (pushed == FRAMES) lull_vocoder_finish(vocoder);
            float *out = queue ? is : should;
            lull_vocoder_pull(vocoder, out + got, samples - got, &produced, NULL);
            got += produced;
            assert_true(accepted + produced > 0);
        }
        if (queue) assert_memory_equal(is, should, samples * sizeof *is);
        lull_vocoder_free(vocoder);
    }
    base_free(mel);
    base_free(should);
    base_free(is);
    lull_model_close(model);
}

/* ---- what it will take ---- */

static void expect_bytes(const char *what, const lull_model *model, const lull_options *options) {
    uint64_t said = 0;
    size_t latency = 0;
    lull_error error;
    /* The weights are there already: they are not the vocoder's. */
    lull_vocoder_free(new_vocoder(model, options));
    if (lull_vocoder_memory(model, options, &said, &error)) fail_msg("%s", error.message);
    if (lull_latency(model, options, &latency, &error)) fail_msg("%s", error.message);
    uint64_t before = base_memory_given();
    lull_vocoder *vocoder = new_vocoder(model, options);
    uint64_t took = base_memory_given() - before;
    print_message("  %s: %.2f MiB said, %.2f MiB taken\n", what, (double)said / (1 << 20),
                  (double)took / (1 << 20));
    assert_true(took <= said);
    assert_true((double)said < 1.25 * (double)took + 1e5);
    assert_int_equal(latency, lull_vocoder_latency(vocoder));
    lull_vocoder_free(vocoder);
}

static void memory_is_known(void **state) {
    (void)state;
    lull_model *model = open_model(shipped);
    lull_options options = defaults();
    expect_bytes("shipped, live", model, &options);
    options.use = LULL_OFFLINE;
    expect_bytes("shipped, offline", model, &options);
    options.bandwidth = LULL_BANDWIDTH_FULL;
    expect_bytes("shipped, offline, full bandwidth", model, &options);
    options.bandwidth = LULL_BANDWIDTH_DEFAULT;
    options.use = LULL_LOW_LATENCY;
    options.steps = 50;
    options.queue_frames = 10000;
    options.precision = LULL_PRECISION_F32;
    expect_bytes("shipped, 50 steps, f32", model, &options);
    lull_model_close(model);

    model_config config = small_diffwave();
    model = random_model(&config);
    options = defaults();
    expect_bytes("DiffWave", model, &options);
    options.refine = 2;
    options.refine_window = 256;
    expect_bytes("DiffWave, refined", model, &options);
    lull_model_close(model);
}

/* A small file that asks for gigabytes is refused before they are touched, and so is anything above
 * the limit that the options carry. */
static void memory_is_limited(void **state) {
    (void)state;
    lull_error error;
    lull_vocoder *vocoder = NULL;
    uint64_t bytes = 0;
    model_config config = small_lull();
    config.layers = 128;
    for (int i = 0; i < config.layers; i++) {
        config.dilation[i] = 65536;
        config.look_ahead[i] = 0;
    }
    lull_model *model = random_model(&config);
    lull_options options = defaults();
    options.refine = 0;
    options.precision = LULL_PRECISION_F32; /* on every processor */
    assert_int_equal(lull_vocoder_memory(model, &options, &bytes, &error), LULL_OK);
    assert_true(bytes > (uint64_t)1 << 30);
    uint64_t before = base_memory_given();
    assert_int_equal(lull_vocoder_new(model, &options, &vocoder, &error), LULL_NO_MEMORY);
    assert_null(vocoder);
    assert_non_null(strstr(error.message, "memory_limit"));
    assert_true(base_memory_given() - before < 1 << 20);
    lull_model_close(model);

    model = open_model(shipped);
    options = defaults();
    assert_int_equal(lull_vocoder_memory(model, &options, &bytes, &error), LULL_OK);
    options.memory_limit = bytes - 1;
    assert_int_equal(lull_vocoder_new(model, &options, &vocoder, &error), LULL_NO_MEMORY);
    options.memory_limit = bytes;
    lull_vocoder_free(new_vocoder(model, &options));
    options.steps = 100000;
    assert_int_equal(lull_latency(model, &options, &(size_t){0}, &error), LULL_INVALID);
    assert_int_equal(lull_vocoder_memory(NULL, NULL, &bytes, &error), LULL_INVALID);
    assert_int_equal(lull_vocoder_memory(model, NULL, NULL, &error), LULL_INVALID);
    assert_int_equal(lull_latency(model, NULL, NULL, &error), LULL_INVALID);
    lull_model_close(model);
}

/* ---- a whole utterance ---- */

static void in_one_call(void **state) {
    (void)state;
    enum { FRAMES = 110, QUEUE = 50 }; /* more than the queue holds */
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    lull_error error;
    lull_options options = defaults();
    options.steps = 2;
    options.seed = 5;
    options.queue_frames = QUEUE;
    size_t samples = FRAMES * (size_t)config.mel.hop;
    float *mel = random_mel(&config.mel, FRAMES);
    float *should = base_alloc(samples, sizeof *should), *is = base_alloc(samples, sizeof *is);
    lull_vocoder *vocoder = new_vocoder(model, &options);
    synthesize(vocoder, &config.mel, mel, FRAMES, 10, 4096, should);
    lull_vocoder_free(vocoder);
    for (int work = 0; work < 2; work++) {
        options.pull_work = work ? 1 : 0;
        memset(is, 0, samples * sizeof *is);
        if (lull_synthesize(model, &options, mel, FRAMES, is, &error))
            fail_msg("%s", error.message);
        assert_memory_equal(is, should, samples * sizeof *is);
    }
    assert_int_equal(lull_synthesize(model, &options, mel, 0, NULL, &error), LULL_OK);
    assert_int_equal(lull_synthesize(NULL, NULL, mel, 1, is, &error), LULL_INVALID);
    assert_int_equal(lull_synthesize(model, NULL, NULL, 1, is, &error), LULL_INVALID);
    mel[77] = NAN;
    assert_int_equal(lull_synthesize(model, NULL, mel, 8, is, &error), LULL_NOT_FINITE);
    base_free(mel);
    base_free(should);
    base_free(is);
    lull_model_close(model);
}

/* ---- bounded work ---- */

typedef struct worked {
    size_t samples[64]; /* of every step in this pull */
} worked;

static void count_work(void *context, int stage, double t, uint64_t first, const float *x,
                       const float *x0, size_t n) {
    (void)t, (void)first, (void)x, (void)x0;
    ((worked *)context)->samples[stage] += n;
}

/* With a full queue no step does more in one pull than was allowed, a whole frame at least, and the
 * samples are those of an unbounded pull. */
static void bounded_work(void **state) {
    (void)state;
    enum { FRAMES = 60, STEPS = 5 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t hop = (size_t)config.mel.hop, samples = FRAMES * hop;
    float *mel = random_mel(&config.mel, FRAMES);
    float *should = base_alloc(samples, sizeof *should), *is = base_alloc(samples, sizeof *is);
    lull_options options = defaults();
    options.steps = STEPS;
    lull_vocoder *free_of_bounds = new_vocoder(model, &options);
    synthesize(free_of_bounds, &config.mel, mel, FRAMES, FRAMES, 4096, should);
    lull_vocoder_free(free_of_bounds);
    for (int threads = 1; threads <= 2; threads++)
        for (int work = 1; work <= 3 * (int)hop; work += (int)hop) {
            options.threads = threads;
            options.pull_work = work;
            lull_vocoder *vocoder = new_vocoder(model, &options);
            worked did;
            vocoder_trace trace = {count_work, &did};
            vocoder_set_trace(vocoder, &trace);
            size_t accepted = 0, produced = 0, got = 0, patch = (size_t)config.patch,
                   allowed = ((size_t)work + patch - 1) / patch * patch;
            int pulls = 0;
            lull_vocoder_push(vocoder, mel, FRAMES, &accepted, NULL);
            lull_vocoder_finish(vocoder);
            for (; !lull_vocoder_ended(vocoder); pulls++) {
                memset(&did, 0, sizeof did);
                size_t n = samples - got < 64 ? samples - got : 64;
                assert_int_equal(lull_vocoder_pull(vocoder, is + got, n, &produced, NULL), LULL_OK);
                got += produced;
                for (int k = 0; k <= STEPS; k++) assert_true(did.samples[k] <= allowed);
                assert_true(pulls < 100000);
            }
            assert_int_equal(got, samples);
            assert_memory_equal(is, should, samples * sizeof *is);
            assert_true(pulls > (int)(samples / 64)); /* the first ones give nothing */
            lull_vocoder_free(vocoder);
        }
    /* Without a bound the first pull fills the path, but no farther than it must: blocks are as
     * short as what is asked for. */
    options = defaults();
    options.steps = STEPS;
    lull_vocoder *vocoder = new_vocoder(model, &options);
    worked did = {{0}};
    vocoder_trace trace = {count_work, &did};
    vocoder_set_trace(vocoder, &trace);
    size_t accepted = 0, produced = 0;
    lull_vocoder_push(vocoder, mel, FRAMES, &accepted, NULL);
    lull_vocoder_pull(vocoder, is, 64, &produced, NULL);
    assert_int_equal(produced, 64);
    assert_true(did.samples[STEPS] <= lull_vocoder_latency(vocoder) + hop);
    lull_vocoder_free(vocoder);
    options.pull_work = -1;
    assert_int_equal(lull_vocoder_new(model, &options, &vocoder, NULL), LULL_INVALID);
    base_free(mel);
    base_free(should);
    base_free(is);
    lull_model_close(model);
}

/* ---- waiting ---- */

typedef struct feeder {
    lull_vocoder *vocoder;
    const float *mel;
    size_t frames, bands;
    double pause;
    int ready_at_end;
} feeder;

/* Sleeps for room, never asks in vain. */
static void *feed(void *argument) {
    feeder *f = argument;
    for (size_t pushed = 0; pushed < f->frames;) {
        size_t accepted = 0;
        if (lull_vocoder_wait(f->vocoder, LULL_READY_PUSH, -1) != LULL_READY_PUSH) return NULL;
        if (f->pause > 0) nap(f->pause);
        if (lull_vocoder_push(f->vocoder, f->mel + pushed * f->bands, 1, &accepted, NULL) ||
            accepted != 1)
            return NULL;
        pushed++;
    }
    lull_vocoder_finish(f->vocoder);
    /* Whether it has ended may be asked beside the pulling thread. */
    f->ready_at_end = lull_vocoder_wait(f->vocoder, 0, 20);
    return f;
}

static void waiting(void **state) {
    (void)state;
    enum { FRAMES = 150 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop, got = 0;
    float *mel = random_mel(&config.mel, FRAMES), *is = base_alloc(samples, sizeof *is);
    float *should = base_alloc(samples, sizeof *should);
    lull_options options = defaults();
    options.steps = 1;
    assert_int_equal(lull_synthesize(model, &options, mel, FRAMES, should, NULL), LULL_OK);
    options.queue_frames = 4;
    lull_vocoder *vocoder = new_vocoder(model, &options);
    for (int round = 0; round < 2; round++) {
        lull_vocoder_reset(vocoder, 0);
        feeder f = {vocoder, mel, FRAMES, (size_t)config.mel.bands, round ? 0 : 0.002, 0};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
        int empty = 0;
        got = 0;
        for (;;) {
            int ready = lull_vocoder_wait(vocoder, LULL_READY_PULL, 20);
            assert_true(ready != 0);
            if (ready & LULL_READY_END) break;
            size_t produced = 0, n = samples - got < 512 ? samples - got : 512;
            assert_int_equal(lull_vocoder_pull(vocoder, is + got, n, &produced, NULL), LULL_OK);
            empty += produced == 0;
            got += produced;
        }
        void *fine = NULL;
        pthread_join(thread, &fine);
        assert_ptr_equal(fine, &f);
        assert_int_equal(f.ready_at_end, LULL_READY_END);
        assert_int_equal(got, samples);
        assert_true(empty <= FRAMES); /* it was woken when there was something to do */
        assert_memory_equal(is, should, samples * sizeof *is);
    }
    /* Time limits. */
    lull_vocoder_reset(vocoder, 0);
    double begun = now();
    assert_int_equal(lull_vocoder_wait(vocoder, LULL_READY_PULL, 0.05), 0);
    assert_true(now() - begun >= 0.05 && now() - begun < 5);
    assert_int_equal(lull_vocoder_wait(vocoder, LULL_READY_PULL, 0), 0);
    assert_int_equal(lull_vocoder_wait(vocoder, LULL_READY_PUSH | LULL_READY_PULL, -1),
                     LULL_READY_PUSH);
    lull_vocoder_finish(vocoder);
    assert_int_equal(lull_vocoder_wait(vocoder, LULL_READY_PULL, -1), LULL_READY_END);
    lull_vocoder_free(vocoder);
    base_free(mel);
    base_free(is);
    base_free(should);
    lull_model_close(model);
}

/* ---- one pool for many ---- */

typedef struct singer {
    const lull_model *model;
    lull_pool *pool;
    const float *mel;
    size_t frames;
    float *out;
} singer;

static void *sing(void *argument) {
    const singer *s = argument;
    lull_options options = defaults();
    options.steps = 3;
    options.pool = s->pool;
    lull_vocoder *vocoder = new_vocoder(s->model, &options);
    synthesize(vocoder, &s->model->config.mel, s->mel, s->frames, 5, 700, s->out);
    lull_vocoder_free(vocoder);
    return NULL;
}

static int threads_now(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    int count = 0;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "Threads:", 8)) count = atoi(line + 8);
    if (file) fclose(file);
    return count;
}

static void shared_pool(void **state) {
    (void)state;
    enum { VOICES = 12, FRAMES = 30 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop;
    float *mel = random_mel(&config.mel, FRAMES), *should = base_alloc(samples, sizeof *should);
    singer alone = {model, NULL, mel, FRAMES, should};
    sing(&alone);
    for (int threads = 1; threads <= 3; threads++) {
        lull_pool *pool;
        int before = threads_now();
        assert_int_equal(lull_pool_new(threads, &pool, NULL), LULL_OK);
        assert_int_equal(lull_pool_threads(pool), threads);
        if (before) assert_int_equal(threads_now(), before + threads - 1);
        pthread_t thread[VOICES];
        singer singers[VOICES];
        for (int i = 0; i < VOICES; i++) {
            singers[i] = (singer){model, pool, mel, FRAMES, base_alloc(samples, sizeof(float))};
            assert_int_equal(pthread_create(&thread[i], NULL, sing, &singers[i]), 0);
        }
        for (int i = 0; i < VOICES; i++) {
            pthread_join(thread[i], NULL);
            assert_memory_equal(singers[i].out, should, samples * sizeof(float));
            base_free(singers[i].out);
        }
        lull_pool_free(pool);
    }
    lull_pool *pool;
    lull_error error;
    assert_int_equal(lull_pool_new(0, &pool, &error), LULL_OK);
    assert_true(lull_pool_threads(pool) >= 1);
    lull_pool_free(pool);
    lull_pool_free(NULL);
    assert_int_equal(lull_pool_new(-1, &pool, &error), LULL_INVALID);
    assert_null(pool);
    assert_int_equal(lull_pool_new(5000, &pool, &error), LULL_INVALID);
    assert_int_equal(lull_pool_new(1, NULL, &error), LULL_INVALID);
    base_free(mel);
    base_free(should);
    lull_model_close(model);
}

/* After fork the child has none of the threads: it may still go on, and free all it inherited. */
static void after_fork(void **state) {
    (void)state;
#ifdef _WIN32
    skip();
#else
    enum { FRAMES = 30 };
    model_config config = small_lull();
    lull_model *model = random_model(&config);
    size_t samples = FRAMES * (size_t)config.mel.hop;
    float *mel = random_mel(&config.mel, FRAMES), *should = base_alloc(samples, sizeof *should);
    float *is = base_alloc(samples, sizeof *is);
    lull_pool *pool;
    lull_options options = defaults();
    options.steps = 3;
    assert_int_equal(lull_pool_new(3, &pool, NULL), LULL_OK);
    assert_int_equal(lull_synthesize(model, &options, mel, FRAMES, should, NULL), LULL_OK);
    options.threads = 3;
    lull_vocoder *own = new_vocoder(model, &options);
    options.pool = pool;
    lull_vocoder *sharing = new_vocoder(model, &options);
    for (int round = 0; round < 10; round++) {
        size_t accepted = 0, produced = 0;
        lull_vocoder_reset(own, 0);
        lull_vocoder_reset(sharing, 0);
        assert_int_equal(lull_vocoder_push(own, mel, FRAMES, &accepted, NULL), LULL_OK);
        assert_int_equal(lull_vocoder_push(sharing, mel, FRAMES, &accepted, NULL), LULL_OK);
        assert_int_equal(lull_vocoder_pull(own, is, 300, &produced, NULL), LULL_OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20); /* a hang is a failure */
            size_t rest = 0;
            lull_vocoder_finish(own);
            bool fine = !lull_vocoder_pull(own, is + produced, samples - produced, &rest, NULL) &&
                        produced + rest == samples && !memcmp(is, should, samples * sizeof *is);
            fine = fine && !lull_vocoder_pull(sharing, is, 300, &rest, NULL);
            lull_vocoder_free(own);
            lull_vocoder_free(sharing);
            lull_pool_free(pool);
            lull_model_close(model);
            _exit(fine ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    lull_vocoder_free(own);
    lull_vocoder_free(sharing);
    lull_pool_free(pool);
    base_free(mel);
    base_free(should);
    base_free(is);
    lull_model_close(model);
#endif
}

/* ---- a small stack ---- */

static void *live_on_little(void *argument) {
    (void)argument;
    enum { FRAMES = 40 };
    const char *root = getenv("LULL_SOURCE");
    char path[1024];
    static float samples[FRAMES * 512], frames[FRAMES * 80];
    lull_error error;
    lull_model *model = NULL;
    lull_vocoder *vocoder = NULL;
    lull_mel *mel = NULL;
    size_t n = 0, accepted = 0;
    if (snprintf(path, sizeof path, "%s/%s", root ? root : ".", shipped) >= (int)sizeof path)
        return NULL;
    if (lull_model_open(path, &model, &error)) return NULL;
    for (int i = 0; i < FRAMES * 512; i++) samples[i] = 0.3f * sinf(0.05f * (float)(i % 3000));
    if (lull_mel_new(model, &mel, &error)) return NULL;
    if (lull_mel_push(mel, samples, FRAMES * 256, &error) || lull_mel_finish(mel, &error))
        return NULL;
    if (lull_mel_pull(mel, frames, FRAMES, &n, &error) || n == 0) return NULL;
    for (int threads = 1; threads <= 2; threads++) {
        lull_options options = defaults();
        options.threads = threads;
        options.steps = 2;
        if (lull_vocoder_new(model, &options, &vocoder, &error)) return NULL;
        if (lull_vocoder_push(vocoder, frames, n, &accepted, &error)) return NULL;
        lull_vocoder_finish(vocoder);
        if (lull_vocoder_pull(vocoder, samples, n * 256, &accepted, &error)) return NULL;
        if (accepted != n * 256) return NULL;
        lull_vocoder_free(vocoder);
    }
    lull_mel_free(mel);
    lull_model_close(model);
    return "fine";
}

static void small_stack(void **state) {
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    void *fine = NULL;
    pthread_attr_init(&attributes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(pthread_attr_setstacksize(&attributes, 64 << 10), 0);
#endif
    assert_int_equal(pthread_create(&thread, &attributes, live_on_little, NULL), 0);
    pthread_join(thread, &fine);
    assert_non_null(fine);
    pthread_attr_destroy(&attributes);
}

/* ---- frames of another kind ---- */

static void expect_refused(lull_vocoder *vocoder, const float *frames, size_t n, const char *says) {
    lull_error error;
    size_t accepted = 1;
    lull_vocoder_reset(vocoder, 0);
    if (lull_vocoder_push(vocoder, frames, n, &accepted, &error) != LULL_MISMATCH)
        fail_msg("taken, and should say: %s", says);
    assert_int_equal(accepted, 0);
    if (!strstr(error.message, says)) fail_msg("%s; it should say: %s", error.message, says);
}

static void frames_are_checked(void **state) {
    (void)state;
    enum { FRAMES = 40 };
    lull_model *model = open_model(shipped);
    size_t count = FRAMES * (size_t)model->config.mel.bands, accepted = 0;
    float *right = random_mel(&model->config.mel, FRAMES),
          *wrong = base_alloc(count, sizeof *wrong);
    lull_options options = defaults();
    lull_vocoder *vocoder = new_vocoder(model, &options);
    for (size_t i = 0; i < count; i++) wrong[i] = expf(right[i]);
    expect_refused(vocoder, wrong, FRAMES, "linear");
    for (size_t i = 0; i < count; i++) wrong[i] = 8.686f * right[i];
    expect_refused(vocoder, wrong, FRAMES, "db");
    for (size_t i = 0; i < count; i++) wrong[i] = 0.5f + 0.05f * right[i];
    expect_refused(vocoder, wrong, FRAMES, "0");
    /* What was refused is as if it had not been offered. */
    assert_int_equal(lull_vocoder_push(vocoder, right, FRAMES, &accepted, NULL), LULL_OK);
    assert_int_equal(accepted, FRAMES);
    lull_vocoder_free(vocoder);
    options.unchecked = 1;
    vocoder = new_vocoder(model, &options);
    assert_int_equal(lull_vocoder_push(vocoder, wrong, FRAMES, &accepted, NULL), LULL_OK);
    assert_int_equal(accepted, FRAMES);
    wrong[3] = INFINITY;
    assert_int_equal(lull_vocoder_push(vocoder, wrong, FRAMES, &accepted, NULL), LULL_NOT_FINITE);
    lull_vocoder_free(vocoder);
    base_free(right);
    base_free(wrong);
    lull_model_close(model);
}

/* ---- the convention ---- */

static void convention_is_told(void **state) {
    (void)state;
    lull_model *model = open_model(shipped);
    const lull_model_info *info = lull_model_get_info(model);
    assert_string_equal(info->convention, "hifigan");
    assert_int_equal(info->window, 1024);
    assert_false(info->centred);
    assert_string_equal(info->padding, "reflect");
    assert_true(info->magnitude_epsilon == 1e-9);
    assert_int_equal(info->power, 1);
    assert_true(info->fmin == 0 && info->fmax == 8000);
    assert_string_equal(info->scale, "slaney");
    assert_string_equal(info->norm, "slaney");
    assert_string_equal(info->compression, "ln");
    assert_true(info->floor == 1e-5 && info->gain == 1 && info->offset == 0);
    assert_true(info->clip_low == info->clip_high);
    assert_null(info->mean);
    lull_model_close(model);
}

/* ---- the front end, again ---- */

static void mel_reset(void **state) {
    (void)state;
    enum { SAMPLES = 9000, MOST = 64 };
    lull_model *model = open_model(shipped);
    size_t bands = (size_t)model->config.mel.bands, n[2] = {0};
    float *samples = base_alloc(SAMPLES, sizeof *samples);
    float *frames[2] = {base_alloc(MOST * bands, sizeof(float)),
                        base_alloc(MOST * bands, sizeof(float))};
    lull_mel *mel;
    normal(3, samples, SAMPLES, 0.1f, 0);
    assert_int_equal(lull_mel_new(model, &mel, NULL), LULL_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(lull_mel_push(mel, samples, SAMPLES, NULL), LULL_OK);
        assert_int_equal(lull_mel_finish(mel, NULL), LULL_OK);
        assert_int_equal(lull_mel_pull(mel, frames[round], MOST, &n[round], NULL), LULL_OK);
        assert_int_equal(lull_mel_push(mel, samples, 1, NULL), LULL_FINISHED);
        lull_mel_reset(mel);
        /* Half a recording that nobody finished is forgotten too. */
        assert_int_equal(lull_mel_push(mel, samples + 77, 1000, NULL), LULL_OK);
        lull_mel_reset(mel);
    }
    assert_true(n[0] > 20);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(frames[0], frames[1], n[0] * bands * sizeof(float));
    lull_mel_reset(NULL);
    lull_mel_free(mel);
    for (int i = 0; i < 2; i++) base_free(frames[i]);
    base_free(samples);
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_queues),       cmocka_unit_test(memory_is_known),
        cmocka_unit_test(memory_is_limited),  cmocka_unit_test(in_one_call),
        cmocka_unit_test(bounded_work),       cmocka_unit_test(waiting),
        cmocka_unit_test(shared_pool),        cmocka_unit_test(after_fork),
        cmocka_unit_test(small_stack),        cmocka_unit_test(frames_are_checked),
        cmocka_unit_test(convention_is_told), cmocka_unit_test(mel_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
