// RUN: qk-opt %s --quant-llm-lower-observe --split-input-file --verify-diagnostics

func.func @forall(%x: tensor<4x8xf32>) {
  scf.forall (%i) in (4) {
    // expected-error @+1 {{layer 'fc': can't observe in 'scf.forall', whose steps may run at the same time; expected it outside of parallel loops}}
    quant_llm.observe %x of "fc" : tensor<4x8xf32>
  }
  return
}

// -----

func.func @parallel(%x: tensor<4x8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    // expected-error @+1 {{layer 'fc': can't observe in 'scf.parallel', whose steps may run at the same time; expected it outside of parallel loops}}
    quant_llm.observe %x of "fc" : tensor<4x8xf32>
  }
  return
}
