/* What the callback plays: every sample exactly and once while samples come in time; silence
 * between complementary fades, counted, when they do not. */
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "audio/playback.h"
#include "base/memory.h"

enum { RATE = 16000, FADE = 80 /* 5 ms */, STOP = 480 /* 30 ms */, LONG = 40000 };

/* Nowhere zero, so that silence is recognised. */
static float signal_at(size_t i) {
    return 0.5f + 0.25f * sinf(0.05f * (float)i);
}

static audio_playback *new_playback(double volume) {
    audio_playback_options options;
    audio_playback_options_init(&options, RATE);
    options.volume = volume;
    audio_playback *p = NULL;
    assert_int_equal(audio_playback_new(&options, &p, NULL), LULL_OK);
    return p;
}

static size_t write_signal(audio_playback *p, size_t first, size_t n) {
    float block[4096];
    size_t done = 0;
    while (done < n) {
        size_t m = n - done < 4096 ? n - done : 4096;
        for (size_t i = 0; i < m; i++) block[i] = signal_at(first + done + i);
        size_t put = audio_playback_write(p, block, m);
        done += put;
        if (put < m) break;
    }
    return done;
}

static audio_playback_figures figures_of(const audio_playback *p) {
    audio_playback_figures figures;
    audio_playback_get_figures(p, &figures);
    return figures;
}

/* A producer that is always in time: what comes out is the signal and nothing else, for any block
 * size. */
static void test_exact(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 7, 64, 256, 1000, 1024, 4096};
    static float out[LONG + 8192];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        audio_playback *p = new_playback(1.0);
        size_t written = 0, n = 0;
        bool going = true;
        while (going) {
            written += write_signal(p, written, LONG - written);
            if (written == LONG) audio_playback_end(p);
            assert_true(n + sizes[k] <= sizeof out / sizeof *out);
            going = audio_playback_render(p, out + n, sizes[k]);
            n += sizes[k];
        }
        for (size_t i = 0; i < LONG; i++) assert_true(out[i] == signal_at(i));
        for (size_t i = LONG; i < n; i++) assert_true(out[i] == 0.0f);
        audio_playback_figures f = figures_of(p);
        assert_int_equal(f.played, LONG);
        assert_int_equal(f.gaps, 0);
        assert_int_equal(f.silent, 0);
        assert_true(f.done && f.slack >= 0.0 && f.first_sample > 0.0);
        assert_false(audio_playback_render(p, out, 64));
        audio_playback_free(p);
    }
}

/* Silent until the lead is there; then the first sample is the first of the signal. */
static void test_lead(void **state) {
    (void)state;
    audio_playback *p = new_playback(1.0);
    float out[64];
    assert_true(audio_playback_render(p, out, 64));
    write_signal(p, 0, 319); /* 20 ms are 320 */
    assert_true(audio_playback_render(p, out, 64));
    for (size_t i = 0; i < 64; i++) assert_true(out[i] == 0.0f);
    assert_true(figures_of(p).first_sample == 0.0 && figures_of(p).waiting);
    write_signal(p, 319, 1);
    assert_true(audio_playback_render(p, out, 64));
    for (size_t i = 0; i < 64; i++) assert_true(out[i] == signal_at(i));
    assert_int_equal(figures_of(p).silent, 0);
    audio_playback_free(p);
}

/* A producer that stalls: prefix, fade-out, silence, the same samples fading in, the rest. */
static void test_gap(void **state) {
    (void)state;
    static float out[8192];
    audio_playback *p = new_playback(1.0);
    assert_int_equal(write_signal(p, 0, 1000), 1000);
    for (size_t i = 0; i < 2048; i += 64) assert_true(audio_playback_render(p, out + i, 64));
    for (size_t i = 0; i < 1000 - FADE; i++) assert_true(out[i] == signal_at(i));
    for (size_t i = 1000; i < 2048; i++) assert_true(out[i] == 0.0f);
    audio_playback_figures f = figures_of(p);
    assert_int_equal(f.gaps, 1);
    assert_int_equal(f.played, 1000 - FADE);
    assert_int_equal(f.silent, 1048);
    assert_int_equal(f.ahead, FADE);
    assert_true(f.slack == 0.0);
    /* The lead has doubled: 640 samples. */
    write_signal(p, 1000, 640 - FADE - 1);
    assert_true(audio_playback_render(p, out + 2048, 64));
    assert_true(out[2048] == 0.0f);
    write_signal(p, 640 - FADE - 1 + 1000, 1000);
    audio_playback_end(p);
    size_t n = 2112;
    for (bool going = true; going; n += 64) {
        assert_true(n + 64 <= 8192);
        going = audio_playback_render(p, out + n, 64);
    }
    float last_weight = 2.0f;
    for (size_t i = 0; i < FADE; i++) {
        float fading = out[1000 - FADE + i], rising = out[2112 + i],
              whole = signal_at(1000 - FADE + i);
        assert_true(fabsf(fading + rising - whole) < 1e-6f);
        assert_true(fading / whole < last_weight && rising != 0.0f);
        last_weight = fading / whole;
    }
    size_t total = 1000 + 640 - FADE - 1 + 1000;
    for (size_t i = 1000; i < total; i++) assert_true(out[2112 + FADE + i - 1000] == signal_at(i));
    assert_int_equal(figures_of(p).played, total);
    assert_int_equal(figures_of(p).gaps, 1);
    audio_playback_free(p);
}

/* Shorter than the lead and the fades: still whole. And nothing at all: done at once. */
static void test_short(void **state) {
    (void)state;
    float out[256];
    for (size_t length = 0; length < 100; length++) {
        audio_playback *p = new_playback(1.0);
        assert_true(audio_playback_render(p, out, 16));
        write_signal(p, 0, length);
        audio_playback_end(p);
        assert_false(audio_playback_render(p, out, 256));
        for (size_t i = 0; i < 256; i++) assert_true(out[i] == (i < length ? signal_at(i) : 0.0f));
        assert_int_equal(figures_of(p).gaps, 0);
        audio_playback_free(p);
    }
}

static void test_stop(void **state) {
    (void)state;
    static float out[2048];
    float ones[2000];
    for (size_t i = 0; i < 2000; i++) ones[i] = 1.0f;
    audio_playback *p = new_playback(1.0);
    audio_playback_write(p, ones, 2000);
    assert_true(audio_playback_render(p, out, 128));
    audio_playback_stop(p);
    size_t n = 128;
    for (bool going = true; going; n += 128) going = audio_playback_render(p, out + n, 128);
    assert_true(n >= 128 + STOP && n <= 128 + STOP + 256);
    for (size_t i = 1; i < n; i++) {
        assert_true(out[i] <= out[i - 1] && out[i - 1] - out[i] < 0.01f);
        if (i >= 128 + STOP) assert_true(out[i] == 0.0f);
    }
    audio_playback_free(p);
    p = new_playback(1.0); /* silent: done with the next block */
    audio_playback_stop(p);
    assert_false(audio_playback_render(p, out, 64));
    audio_playback_free(p);
}

static void test_volume(void **state) {
    (void)state;
    float out[400];
    audio_playback *p = new_playback(0.5);
    write_signal(p, 0, 400);
    audio_playback_end(p);
    audio_playback_render(p, out, 400);
    for (size_t i = 0; i < 400; i++) assert_true(out[i] == 0.5f * signal_at(i));
    audio_playback_free(p);
}

static void test_options(void **state) {
    (void)state;
    audio_playback_options options;
    lull_error error;
    audio_playback *p = NULL;
    audio_playback_options_init(&options, 0);
    assert_int_equal(audio_playback_new(&options, &p, &error), LULL_INVALID);
    audio_playback_options_init(&options, RATE);
    options.volume = NAN;
    assert_int_equal(audio_playback_new(&options, &p, &error), LULL_INVALID);
    audio_playback_options_init(&options, RATE);
    options.capacity_ms = 10;
    assert_int_equal(audio_playback_new(&options, &p, &error), LULL_INVALID);
    audio_playback_options_init(&options, RATE);
    for (size_t n = 1; n <= 5; n++) {
        base_memory_fail_at(n);
        assert_int_equal(audio_playback_new(&options, &p, &error), LULL_NO_MEMORY);
    }
    base_memory_fail_at(0);
}

/* ---- two threads ---------------------------------------------------------------------------- */

typedef struct producer {
    audio_playback *p;
    size_t total, stall_every; /* samples between stalls; 0 never */
    bool killed;               /* goes away without saying so */
} producer;

static void nap(long microseconds) {
    nanosleep(&(struct timespec){0, microseconds * 1000}, NULL);
}

static void *produce(void *argument) {
    producer *o = argument;
    size_t done = 0, next_stall = o->stall_every;
    while (done < o->total) {
        size_t n = 1 + (done * 31) % 777;
        if (n > o->total - done) n = o->total - done;
        size_t put = write_signal(o->p, done, n);
        done += put;
        if (put < n) nap(200);
        if (o->stall_every && done >= next_stall) {
            nap(3000);
            next_stall += o->stall_every;
        }
    }
    if (!o->killed) audio_playback_end(o->p);
    return NULL;
}

/* A consumer far faster than real time, a producer that stalls: gaps, yet nothing is lost: as the
 * fades add up to one, the sum over all that was played is the sum of the signal. */
static void test_stalls(void **state) {
    (void)state;
    audio_playback *p = new_playback(1.0);
    producer o = {.p = p, .total = 60 * RATE, .stall_every = 30011};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &o), 0);
    float out[777];
    double heard = 0, wanted = 0;
    bool going = true;
    for (size_t k = 1; going; k++) {
        size_t n = 1 + (k * 131) % 777;
        going = audio_playback_render(p, out, n);
        for (size_t i = 0; i < n; i++) heard += out[i];
        if (k % 8 == 0) nap(10);
    }
    pthread_join(thread, NULL);
    for (size_t i = 0; i < o.total; i++) wanted += signal_at(i);
    audio_playback_figures f = figures_of(p);
    assert_int_equal(f.played, o.total);
    assert_true(f.gaps >= 2 && f.silent > 0);
    assert_true(fabs(heard - wanted) < 1e-3);
    audio_playback_free(p);
}

/* A slow consumer: the producer waits, and the ring holds no more than its size. */
static void test_slow_consumer(void **state) {
    (void)state;
    audio_playback *p = new_playback(1.0);
    producer o = {.p = p, .total = 10 * RATE};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &o), 0);
    float out[512];
    size_t at = 0;
    bool going = true, begun = false;
    while (going) {
        nap(500);
        going = audio_playback_render(p, out, 512);
        assert_true(figures_of(p).ahead <= 16384 * 2);
        for (size_t i = 0; i < 512; i++) {
            if (!begun && out[i] == 0.0f) continue;
            begun = true;
            assert_true(out[i] == (at < o.total ? signal_at(at) : 0.0f));
            at++;
        }
    }
    assert_true(at >= o.total);
    assert_int_equal(figures_of(p).gaps, 0);
    pthread_join(thread, NULL);
    audio_playback_free(p);
}

/* A producer that dies without a word: one gap, then silence, until somebody stops it. */
static void test_killed_producer(void **state) {
    (void)state;
    audio_playback *p = new_playback(1.0);
    producer o = {.p = p, .total = 5000, .killed = true};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, produce, &o), 0);
    pthread_join(thread, NULL);
    float out[512];
    for (int k = 0; k < 200; k++) assert_true(audio_playback_render(p, out, 512));
    for (size_t i = 0; i < 512; i++) assert_true(out[i] == 0.0f);
    audio_playback_figures f = figures_of(p);
    assert_int_equal(f.played, 5000 - FADE);
    assert_int_equal(f.gaps, 1);
    assert_true(f.waiting && !f.done);
    audio_playback_stop(p);
    assert_false(audio_playback_render(p, out, 512));
    audio_playback_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),         cmocka_unit_test(test_lead),
        cmocka_unit_test(test_gap),           cmocka_unit_test(test_short),
        cmocka_unit_test(test_stop),          cmocka_unit_test(test_volume),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_slow_consumer), cmocka_unit_test(test_killed_producer),
    };
    return cmocka_run_group_tests_name("playback", tests, NULL, NULL);
}
