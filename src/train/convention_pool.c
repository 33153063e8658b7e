/* Conventions drawn at random: see convention_pool.h. */
#include "train/convention_pool.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>

enum { STREAM_POOL = 0x4c000020, DRAWS = 16 };

static double between(double u, double low, double high) {
    return low + u * (high - low);
}

static double between_logarithms(double u, double low, double high) {
    return low * pow(high / low, u);
}

void train_convention_pool_draw(uint64_t seed, int index, mel_convention *c) {
    static const int rates[] = {16000, 22050, 24000, 24000};
    static const double floors[] = {1e-5, 1e-5, 1e-7, 1e-10};
    double u[DRAWS];
    for (uint64_t i = 0; i < DRAWS; i++)
        u[i] = random_uniform(seed, STREAM_POOL, (uint64_t)index * DRAWS + i);
    mel_convention_named("hifigan", 0, c, NULL);
    snprintf(c->name, sizeof c->name, "drawn-%d", index);
    const double rate = c->sample_rate = rates[(int)(4 * u[0])];
    const double window = between_logarithms(u[1], 0.020, 0.085);
    const double hop = fmin(between_logarithms(u[2], 0.004, 0.020), window / 2);
    c->window = 2 * (int)(window * rate / 2);
    c->hop = 2 * (int)(hop * rate / 2); /* even, for conventions that are not centred */
    c->n_fft = 256;
    while (c->n_fft < c->window) c->n_fft *= 2;
    c->bands = (int)between(u[3], 60, 131);
    c->scale = u[4] < 0.6 ? MEL_SCALE_SLANEY : MEL_SCALE_HTK;
    c->norm = u[5] < 0.6 ? MEL_NORM_SLANEY : MEL_NORM_NONE;
    c->fmin = u[6] < 0.5 ? 0 : between(u[7], 0, 100);
    c->fmax = fmin(u[8] < 0.4 ? 8000 : between(u[9], 7000, 12500), rate / 2);
    c->power = u[10] < 0.75 ? 1 : 2;
    c->floor = floors[(int)(4 * u[11])];
    c->floor_added = c->power == 2 && u[12] < 0.5;
    c->compression = u[13] < 0.7 ? MEL_COMPRESS_LN : MEL_COMPRESS_LOG10;
    c->centred = u[14] < 0.5;
}

static bool next_other(train_convention_pool *p, mel_convention *c) {
    int named = 0;
    while (mel_convention_name_at(named, NULL, NULL) != NULL) named++;
    while (p->found < p->drawn || p->at < named) {
        const int i = p->at++;
        if (i < named)
            mel_convention_named(mel_convention_name_at(i, NULL, NULL), 0, c, NULL);
        else
            train_convention_pool_draw(p->seed, i - named, c);
        if (p->fits && !p->fits(c)) continue;
        if (i >= named) p->found++;
        return true;
    }
    return false;
}

bool train_convention_pool_next(train_convention_pool *p, mel_convention *c) {
    if (!p->own) return next_other(p, c);
    if (!p->waits && !next_other(p, &p->next)) return false;
    *c = p->waits ? p->next : *p->own;
    p->waits = !p->waits;
    return true;
}
