/* What a model is: everything that its file's JSON says (docs/formats.md). */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "diffusion/sampler.h"
#include "mel/convention.h"

enum {
    MODEL_MAX_LAYERS = 128,
    MODEL_MAX_STEPS = DIFFUSION_MAX_STEPS,
    MODEL_MAX_REFINE = 1000,
    MODEL_MAX_WINDOW = 256
};

/* MODEL_PITCH_ALONE: no denoiser, a pitch network for mels of any convention. */
typedef enum { MODEL_LULL, MODEL_DIFFWAVE, MODEL_PITCH_ALONE } model_family;

/* How to synthesize, for one use. */
typedef struct model_settings {
    int steps, refine, refine_low, refine_window;
    double refine_momentum;
    bool postnet; /* whether mels go through it, where there is one */
    double
        aperiodicity_power; /* to which what the pitch network says of noise is raised: refinement
                                  makes noise of harmonics, the more the longer it goes on */
} model_settings;

typedef struct model_config {
    model_family family;
    char name[64];
    char licence[128];
    mel_convention mel;

    /* Denoiser. A frame of the network is a patch of `patch` samples (DiffWave: 1). */
    int patch, channels, layers, kernel;
    int dilation[MODEL_MAX_LAYERS]; /* of every layer (the JSON gives a cycle, which goes on behind
                                         the last) */
    int look_ahead[MODEL_MAX_LAYERS]; /* of every layer, network frames: tap k of K reads frame
                                         t + (k−(K−1))·dilation + look_ahead. DiffWave:
                                         dilation·(K−1)/2 */
    bool input_relu;                  /* DiffWave: true */
    bool source; /* the input has the pitch source (vocoder/source.h) beside the signal: a row is
                    the patch of x, then that of the source */
    double below_hz; /* it has learned what lies below this frequency alone, and the crossover is
                        never above it; 0: everything */

    /* Step embedding. lull: sin(t·ω), cos(t·ω), `frequencies` ω geometric from…to. DiffWave: the
     * table of its training steps (64 frequencies 10^(4j/63)), interpolated. Then two linear layers
     * with SiLU. */
    int embedding_frequencies, embedding_hidden;
    double embedding_from, embedding_to;

    /* Conditioner, lull: `conditioner_layers` convolutions at the mel rate (SiLU after each), input
     * (mel + offset)·scale, each layer's projection interpolated linearly from frame centres to
     * patch centres, ends held. DiffWave: two transposed 2-D convolutions ×16, LeakyReLU 0.4. */
    int conditioner_channels, conditioner_kernel, conditioner_layers;
    int conditioner_look_ahead; /* mel frames each convolution sees ahead, 0…(K−1)/2; (K−1)/2 =
                                   centred */
    double mel_offset, mel_scale;

    /* Postnet (Shen et al. 2018, §2.2: a residual predicted for a mel), before everything else:
     * postnet_layers + 2 convolutions of 3 bands × 3 frames, postnet_channels between them (0: no
     * postnet), LeakyReLU 0.1, each inner one added to its input. The first postnet_look_ahead of
     * them see one frame ahead, the others only back. Input as the conditioner's. */
    int postnet_channels, postnet_layers, postnet_look_ahead;
    int postnet_patch; /* neighbouring bands are the channels of one place, and "bands" above are
                          places; divides mel.bands */
    /* What the postnet says of a frame that needs nothing is its own error: a correction whose root
     * mean square over the bands, in the mel's values, is below the threshold is left out, from
     * twice that on it is made wholly, and between in proportion. 0: made always. */
    double postnet_threshold;

    /* Pitch network (model/pitch_network.h): pitch_layers convolutions of 3 frames, pitch_channels
     * between them (0: no pitch network); the first pitch_look_ahead of them see one frame ahead. */
    int pitch_channels, pitch_layers, pitch_look_ahead;

    /* Bandwidth network (model/bandwidth.h): bandwidth_layers convolutions of 3 frames that see none
     * ahead, bandwidth_channels between them (0: no such network). */
    int bandwidth_channels, bandwidth_layers;

    /* Spectrum network (model/spectrum.h): spectrum_layers convolutions of 3 frames that see none
     * ahead, spectrum_channels between them (0: no such network). Input as the conditioner's. */
    int spectrum_channels, spectrum_layers;

    /* Domain. */
    bool whitened;
    double tilt_hz;

    /* Process and defaults of synthesis. */
    diffusion_objective objective;
    diffusion_schedule schedule;
    lull_sampler sampler;
    double eta;
    model_settings uses[LULL_OFFLINE + 1]; /* by lull_use */
    bool full_bandwidth;                   /* what lies above the mel is added by default, too */
    bool voiced;         /* the pitch source is the default, where there is a pitch network */
    double crossover_hz; /* above it the signal is the source's */
} model_config;

/* The default of family lull (12 layers of 96 channels in patches of 16; a model's own sizes are in
 * its file), the `diffwave` base preset (30×64, cycle 10), and a pitch network alone. */
void model_config_default(model_config *config);
void model_config_diffwave(model_config *config);
void model_config_pitch(model_config *config);
/* Gives a configuration that has no postnet one of the default size, for the mels that it has. */
void model_config_add_postnet(model_config *config);
/* The same of a pitch network. */
void model_config_add_pitch(model_config *config);
/* The same of a bandwidth network. */
void model_config_add_bandwidth(model_config *config);
/* And of a spectrum network, with iterations of the low band that it can guide. */
void model_config_add_spectrum(model_config *config);

/* Everything in range and consistent (patch divides hop, odd kernel, …), or the reason. */
lull_status model_config_check(const model_config *config, const char *name, lull_error *error);

/* Its members: places, ranges, defaults and words; and those of model_settings. */
extern const member model_config_members[];
extern const member model_settings_members[];

/* JSON both ways. Reading starts from the preset of the "family" member, refuses unknown members by
 * name and checks the whole. `name` stands in messages. */
lull_status model_config_read(yyjson_val *json, const char *name, model_config *config,
                              lull_error *error);
lull_status model_config_parse(const char *text, const char *name, model_config *config,
                               lull_error *error);
void model_config_write(const model_config *config, json_writer *writer, yyjson_mut_val *parent);
char *model_config_print(const model_config *config); /* base_free; NULL = out of memory */

/* One assignment, "network.channels=128". What follows from it goes along: another mel.convention or
 * mel.sample_rate brings that convention's numbers, other layers their cycles. The whole is not
 * checked: model_config_check, when all are done. Errors: LULL_INVALID. */
lull_status model_config_set(model_config *config, const char *assignment, lull_error *error);

/* A mel convention alone, by the members of "mel": what the text says is changed in *convention, all
 * of it when the text names a convention. Finds "mel" also in a configuration or in what `lull info
 * --json` prints. On failure *convention is as it was. */
lull_status model_convention_parse(const char *json, const char *name, mel_convention *convention,
                                   lull_error *error);
/* base_free; NULL = out of memory. */
char *model_convention_print(const mel_convention *convention);

/* The settings of synthesis for a use: its own, with a postnet where there is one. */
model_settings model_config_settings(const model_config *config, lull_use use);

/* Floats that encode a network time: 2 × frequencies. */
int model_config_embedding_inputs(const model_config *config);

/* Convolutions of the postnet, 0 without one. */
int model_config_postnet_convolutions(const model_config *config);

/* Network frames of look-ahead of one evaluation, and mel frames of the conditioner's. */
int model_config_network_look_ahead(const model_config *config);
int model_config_frames_per_hop(const model_config *config); /* hop / patch */
/* Values of a network frame's input: patch, or 2·patch with the source. */
int model_config_input(const model_config *config);

#endif
