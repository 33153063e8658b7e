/* The mel conventions that lull knows by name (docs/formats.md): every number that turns samples
 * into the frames that another program's acoustic model writes. */
#ifndef MEL_CONVENTION_H
#define MEL_CONVENTION_H

#include "io/member.h"

enum { MEL_MAX_BANDS = 512, MEL_MAX_FFT = 16384, MEL_LEAST_RATE = 1000, MEL_MOST_RATE = 384000 };

typedef enum { MEL_SCALE_SLANEY, MEL_SCALE_HTK } mel_scale;
typedef enum { MEL_NORM_SLANEY, MEL_NORM_NONE } mel_norm;
typedef enum { MEL_PADDING_REFLECT, MEL_PADDING_ZEROS } mel_padding;
typedef enum { MEL_COMPRESS_LN, MEL_COMPRESS_LOG10, MEL_COMPRESS_LINEAR } mel_compression;

/* The numbers, in the order in which they act. Every one is a member of the JSON, too. */
typedef struct mel_convention {
    char name[32];
    int sample_rate, n_fft, window, hop, bands;
    double fmin, fmax; /* Hz */
    mel_scale scale;   /* where the edges of the filters lie */
    mel_norm norm;     /* slaney: each of area 1 over Hz; none: peaks of 1 */
    int filter_rate;   /* the rate that the filters were made for, when it is not sample_rate (a
                          widespread slip): their mel scale sees f·filter_rate/sample_rate. 0: the
                          same */
    bool centred; /* frame f is centred at f·hop with padding of n_fft/2; otherwise at (f+½)·hop
                     with padding of (n_fft-hop)/2 */
    mel_padding padding;      /* of both ends: the signal mirrored, or zeros */
    double magnitude_epsilon; /* added to the squared magnitude before the root: 1e-9 for hifigan */
    bool normalized_window;   /* torchaudio's normalized=True: magnitude divided by √Σwindow² */
    int power;                /* of the magnitudes that the filters sum: 1 or 2 */
    double floor;             /* clamp before the logarithm … */
    bool floor_added;         /* … or added to what it is taken of */
    mel_compression compression;
    double gain, offset;        /* value = gain·logarithm + offset */
    double clip_low, clip_high; /* bounds of that value; equal: none */
    bool statistics;            /* then subtract the mean, divide by the deviation, band by band */
    float mean[MEL_MAX_BANDS], deviation[MEL_MAX_BANDS];
} mel_convention;

/* Its members (JSON, ranges, words), and the names of what has names. */
extern const member mel_convention_members[];
extern const char *const mel_scale_names[];
extern const char *const mel_compression_names[];

/* Fills in a convention by one of the names below or an alias; sample_rate 0 = its own rate. At
 * another rate the lengths stay, an upper edge at half the rate stays there, and any other is held
 * below it. */
lull_status mel_convention_named(const char *name, int sample_rate, mel_convention *convention,
                                 lull_error *error);

/* The table: name number i, what writes it, and the alias that it had before (or NULL); NULL behind
 * the last. */
const char *mel_convention_name_at(int i, const char **writers, const char **alias);

/* Which of them have that many bands: "A", "A or B", "A, B or C" (at most three); "" for none. */
void mel_conventions_of_bands(int bands, char *text, size_t size);

/* The mel scale sees this multiple of a frequency. */
double mel_convention_filter_factor(const mel_convention *convention);

/* Whether values are held within clip_low and clip_high. */
bool mel_convention_clips(const mel_convention *convention);

/* Do two conventions see the same frames (place, spectrum and filters), so that one's numbers are
 * the other's but for their norm, logarithm, gain, clamp and statistics? */
bool mel_convention_same_frames(const mel_convention *a, const mel_convention *b);

/* The first member in which two conventions differ, by its name in JSON; NULL: they are the same
 * (names and aliases do not count). */
const char *mel_convention_difference(const mel_convention *a, const mel_convention *b);

/* What files of earlier versions said of a convention, as it is said today. */
void mel_convention_modernize(mel_convention *convention);

/* Sizes positive and consistent, or the reason why not. */
lull_status mel_convention_check(const mel_convention *convention, lull_error *error);

/* Sample index of the centre of frame 0: 0 when centred, hop/2 otherwise. */
int mel_convention_first_centre(const mel_convention *convention);

/* What the numbers of a mel may be where nothing but the scale of its values differs. */
typedef enum {
    MEL_VALUES_LN,
    MEL_VALUES_LOG10,
    MEL_VALUES_DB, /* 20·log10 */
    MEL_VALUES_LINEAR,
    MEL_VALUES_LN_POWER, /* ln of filters over |S|² */
    MEL_VALUES_LOG10_POWER,
    MEL_VALUES_POWER_DB, /* 10·log10 of them: librosa's power_to_db */
    MEL_VALUES_POWER,
    MEL_VALUES
} mel_values;

/* "ln", "log10", "db", "linear", "ln-power", "log10-power", "power-db", "power" */
const char *mel_values_name(mel_values values);

/* The convention with values of another scale: no gain, bounds or statistics. */
void mel_convention_set_values(mel_convention *convention, mel_values values);

/* Values low … high stand for least … most of what the convention writes now; its bounds go.
 * Neither pair may be of equal numbers. */
void mel_convention_set_range(mel_convention *convention, double low, double high, double least,
                              double most);

/* Could these frames (n × bands) be of this convention? Fails with LULL_MISMATCH and one line that
 * says what they look like and the option that converts ([0, 1], log10 for ln, standardised, power,
 * another order of the axes, …); NaN and infinities with LULL_NOT_FINITE. `name` stands in the
 * message. mel/look.h has what it goes by. Allocates nothing. */
lull_status mel_convention_check_frames(const mel_convention *convention, const float *frames,
                                        size_t n, const char *name, lull_error *error);

#endif
