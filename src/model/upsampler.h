/* One stage of DiffWave's mel upsampling: a transposed 2-D convolution [3 bands, 32 frames], stride
 * 16 in time, padding [1, 8], one channel, then LeakyReLU 0.4 (Kong et al. 2021, §3.3). Arrays are
 * (time, bands). */
#ifndef MODEL_UPSAMPLER_H
#define MODEL_UPSAMPLER_H

enum { MODEL_UPSAMPLER_STRIDE = 16 };

/* in: n × bands; out: 16·n × bands. weight [3][32]. */
void model_upsampler_forward(const float *in, int n, int bands, const float *weight, float bias,
                             float *out);

/* dout: gradient by out, overwritten with the gradient before the LeakyReLU. din (NULL: not wanted)
 * is overwritten; dweight [3][32] and *dbias are added to. */
void model_upsampler_backward(const float *in, int n, int bands, const float *weight,
                              const float *out, float *dout, float *din, float *dweight,
                              float *dbias);

#endif
