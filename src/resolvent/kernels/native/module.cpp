// The Python module: one for each instruction set, from the same sources.

#include "bind.hpp"

NB_MODULE(RESOLVENT_MODULE, module) {
  resolvent::Binding::add_all(module);
  module.attr("sources") = RESOLVENT_SOURCES;  // their digest: see backend.py
  module.attr("block") = resolvent::kBlock;
#ifdef _OPENMP
  module.attr("openmp") = true;
#else
  module.attr("openmp") = false;
#endif
  // What this processor can run, whatever this module was compiled for.
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  module.attr("avx2") = avx2;
  module.attr("avx512") = avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl");
#else
  module.attr("avx2") = module.attr("avx512") = false;
#endif
}
