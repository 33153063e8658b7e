/* Where the glottis closes: see closures.h. */
#include "train/closures.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Turns that are tried, the longest step between frames, and what a step of a cycle costs. */
enum { TURNS = 128, LONGEST = TURNS / 4 };
static const float COST = 100;

struct train_closures {
    int frames;
    float *score;                   /* frames × TURNS: of the recording as it is */
    int8_t *step;                   /* frames × TURNS: how the best path came there */
    float sum[TURNS + 2 * LONGEST]; /* worth of the best path so far, LONGEST more on both sides */
    float cosine[TURNS], sine[TURNS];
};

lull_status train_closures_new(int frames, train_closures **result, lull_error *error) {
    *result = NULL;
    train_closures *c = base_alloc(1, sizeof *c);
    if (!c) return base_no_memory(error);
    c->frames = frames;
    c->score = base_alloc((size_t)frames * TURNS, sizeof *c->score);
    c->step = base_alloc((size_t)frames * TURNS, sizeof *c->step);
    if (!c->score || !c->step) {
        train_closures_free(c);
        return base_no_memory(error);
    }
    for (int i = 0; i < TURNS; i++) {
        c->cosine[i] = (float)cos(2 * M_PI * i / TURNS);
        c->sine[i] = (float)sin(2 * M_PI * i / TURNS);
    }
    *result = c;
    return LULL_OK;
}

void train_closures_free(train_closures *c) {
    if (!c) return;
    base_free(c->score);
    base_free(c->step);
    base_free(c);
}

static bool score(const train_closures *c, const train_closure_frame *frame, float *to) {
    float power = 0;
    for (int i = 0; i < 2 * frame->harmonics; i++) power += frame->part[i] * frame->part[i];
    memset(to, 0, TURNS * sizeof *to);
    if (!(power > 0)) return false;
    float scale = 1 / sqrtf(power);
    for (int h = 1; h <= frame->harmonics; h++) {
        float re = frame->part[2 * h - 2] * scale, im = frame->part[2 * h - 1] * scale;
        for (int i = 0; i < TURNS; i++)
            to[i] += re * c->cosine[h * i % TURNS] + im * c->sine[h * i % TURNS];
    }
    return true;
}

/* The best path for one sign: its worth; its steps are left in c->step, its end in *end. */
static float best_path(train_closures *c, float sign, int *end) {
    float *sum = c->sum + LONGEST, *around = c->sum;
    for (int i = 0; i < TURNS; i++) sum[i] = sign * c->score[i];
    for (int f = 1; f < c->frames; f++) {
        memcpy(around, sum + TURNS - LONGEST, LONGEST * sizeof *sum);
        memcpy(sum + TURNS, sum, LONGEST * sizeof *sum);
        float now[TURNS];
        for (int i = 0; i < TURNS; i++) {
            float most = sum[i];
            int step = 0; /* of equals the shortest */
            for (int d = 1; d <= LONGEST; d++) {
                float cost = COST / (TURNS * TURNS) * (float)(d * d);
                if (sum[i - d] - cost > most) most = sum[i - d] - cost, step = d;
                if (sum[i + d] - cost > most) most = sum[i + d] - cost, step = -d;
            }
            now[i] = most + sign * c->score[f * TURNS + i];
            c->step[f * TURNS + i] = (int8_t)step;
        }
        memcpy(sum, now, sizeof now);
    }
    *end = 0;
    for (int i = 1; i < TURNS; i++)
        if (sum[i] > sum[*end]) *end = i;
    return sum[*end];
}

int train_closures_find(train_closures *c, const train_closure_frame *frame, double *turn) {
    bool any = false;
    for (int f = 0; f < c->frames; f++)
        if (score(c, &frame[f], c->score + f * TURNS)) any = true;
    memset(turn, 0, (size_t)c->frames * sizeof *turn);
    if (!any) return 1;
    int end, sign = -1;
    float negative = best_path(c, -1, &end);
    if (best_path(c, 1, &end) >= negative)
        sign = 1;
    else
        best_path(c, -1, &end);
    int at = end;
    for (int f = c->frames - 1; f >= 0; f--) {
        turn[f] = (double)at / TURNS;
        at -= f ? c->step[f * TURNS + (at % TURNS + TURNS) % TURNS] : 0;
    }
    return sign;
}
