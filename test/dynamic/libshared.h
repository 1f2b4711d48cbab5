/* What the programs of this folder and their libraries know of each other. */
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
int shared_counter(void);          /* counts its calls in a variable of the library */
int *shared_tls(void);             /* the library's thread-local variable, 40 at first */
extern int shared_data;            /* 7, copied into the program by a COPY relocation, or not */
const char *shared_which(void);    /* resolved by IRELATIVE */
int shared_hook(void);             /* 1; a preloaded library has 2 */
int shared_calls_hook(void);       /* through the library's own PLT */
int shared_crash(int *address);    /* reads there */
#ifdef __cplusplus
}
#endif
