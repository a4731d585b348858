// RUN: qk-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(quant-llm-check-bounds))' | FileCheck %s

// Once for each pair of sizes, as early as both tensors are there.
// CHECK-LABEL: func.func @masked
// CHECK: %[[M:.*]] = tensor.dim %arg1, %{{.*}}
// CHECK: %[[T:.*]] = tensor.dim %arg0, %{{.*}}
// CHECK: %[[E:.*]] = arith.cmpi eq, %[[M]], %[[T]] : index
// CHECK: cf.assert %[[E]], "dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in linalg.mul"
// CHECK: linalg.exp
// CHECK-NOT: cf.assert
// CHECK: return
func.func @masked(%x: tensor<?x4xf32>, %mask: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = linalg.exp ins(%x : tensor<?x4xf32>) outs(%x : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = linalg.mul ins(%0, %mask : tensor<?x4xf32>, tensor<?x4xf32>) outs(%x : tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = linalg.add ins(%1, %mask : tensor<?x4xf32>, tensor<?x4xf32>) outs(%0 : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// -----

// Sizes that are equal by how they were made: through layers, reshapes, casts,
// slices and arithmetic.
// CHECK-LABEL: func.func @known
// CHECK-NOT: cf.assert
// CHECK: return
func.func @known(%x: tensor<1x?x4xf32>, %w: tensor<4x4xf32>, %five: tensor<5xf32>) -> (tensor<?x4xf32>, tensor<?xf32>, tensor<5xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<1x?x4xf32>
  %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<1x?x4xf32> into tensor<?x4xf32>
  %y = quant_llm.linear %rows, %w name("fc") : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %0 = linalg.add ins(%rows, %y : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %slice = tensor.extract_slice %0[0, 0] [%n, 4] [1, 1] : tensor<?x4xf32> to tensor<?x4xf32>
  %joined = tensor.concat dim(1) %slice, %0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  %1 = tensor.extract_slice %joined[0, 4] [%n, 4] [1, 1] : tensor<?x8xf32> to tensor<?x4xf32>
  %i = arith.index_cast %n : index to i64
  %twice0 = arith.addi %i, %i : i64
  %twice1 = arith.addi %i, %i : i64
  %t0 = arith.index_cast %twice0 : i64 to index
  %t1 = arith.index_cast %twice1 : i64 to index
  %a = tensor.empty(%t0) : tensor<?xf32>
  %b = tensor.empty(%t1) : tensor<?xf32>
  %2 = linalg.exp ins(%a : tensor<?xf32>) outs(%b : tensor<?xf32>) -> tensor<?xf32>
  %3 = linalg.exp ins(%five : tensor<5xf32>) outs(%five : tensor<5xf32>) -> tensor<5xf32>
  return %1, %2, %3 : tensor<?x4xf32>, tensor<?xf32>, tensor<5xf32>
}

// -----

// What the module asserts itself holds from there on; one size is a number.
// CHECK-LABEL: func.func @asserted
// CHECK: cf.assert %{{.*}}, "mismatched"
// CHECK: cf.assert %{{.*}}, "dimension 0 of tensor<7xf32> must have the size of dimension 0 of argument 1 in linalg.add"
// CHECK-NOT: cf.assert
// CHECK: return
func.func @asserted(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %m = tensor.dim %a, %c0 : tensor<?xf32>
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  %same = arith.cmpi eq, %m, %n : index
  cf.assert %same, "mismatched"
  %seven = arith.constant dense<1.0> : tensor<7xf32>
  %0 = linalg.mul ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
  %1 = linalg.add ins(%0, %seven : tensor<?xf32>, tensor<7xf32>) outs(%b : tensor<?xf32>) -> tensor<?xf32>
  return %1 : tensor<?xf32>
}

// -----

// Where it is only known on one way through the function, it is asserted there
// and again after it.
// CHECK-LABEL: func.func @branch
// CHECK: scf.if
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in linalg.mul"
// CHECK: else
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in linalg.add"
func.func @branch(%a: tensor<?xf32>, %b: tensor<?xf32>, %c: i1) -> tensor<?xf32> {
  %r = scf.if %c -> tensor<?xf32> {
    %0 = linalg.mul ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %0 : tensor<?xf32>
  } else {
    %0 = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
    scf.yield %0 : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// A token is data, a loop's index is not. The loop itself stays as it is.
// CHECK: #[[ROW:.*]] = affine_map<(d0) -> (d0)>
// CHECK: #[[NONE:.*]] = affine_map<(d0) -> ()>
// CHECK-LABEL: func.func @embedding
// CHECK-SAME: %[[TOKENS:.*]]: tensor<?xi64>, %[[TABLE:.*]]: tensor<512x64xf32>
// CHECK: %[[D:.*]] = tensor.dim %[[TABLE]], %{{.*}}
// CHECK: %[[WORST:.*]] = linalg.generic {indexing_maps = [#[[ROW]], #[[NONE]]], iterator_types = ["reduction"]} ins(%[[TOKENS]] : tensor<?xi64>) outs(%{{.*}} : tensor<i64>)
// CHECK: %[[I:.*]] = arith.index_cast %in : i64 to index
// CHECK: %[[IN:.*]] = arith.cmpi ult, %[[I]], %[[D]] : index
// CHECK: arith.select %[[IN]], %out
// CHECK: %[[E:.*]] = tensor.extract %[[WORST]][]
// CHECK: %[[W:.*]] = arith.index_cast %[[E]] : i64 to index
// CHECK: %[[L:.*]] = arith.maxsi %[[D]]
// CHECK: %[[C:.*]] = arith.cmpi ult, %[[W]], %[[L]] : index
// CHECK: cf.assert %[[C]], "index out of range in dimension 0 of argument 1"
// CHECK: linalg.generic
// CHECK-NOT: cf.assert
// CHECK: tensor.extract %[[TABLE]]
func.func @embedding(%tokens: tensor<?xi64>, %table: tensor<512x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %tokens, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%tokens : tensor<?xi64>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%token: i64, %out: f32):
    %i = arith.index_cast %token : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %table[%i, %j] : tensor<512x64xf32>
    linalg.yield %v : f32
  } -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// Both bounds are asserted already; one alone, or one that is too large, is not
// enough.
// CHECK-LABEL: func.func @guarded
// CHECK: cf.assert %{{.*}}, "below"
// CHECK-NEXT: %{{.*}} = arith.cmpi
// CHECK-NEXT: cf.assert %{{.*}}, "above"
// CHECK-NEXT: tensor.extract
// CHECK: cf.assert %{{.*}}, "index out of range in dimension 0 of argument 1"
// CHECK: tensor.extract
// CHECK: cf.assert %{{.*}}, "index out of range in dimension 0 of argument 3"
// CHECK: tensor.extract
func.func @guarded(%i: i64, %table: tensor<512xf32>, %k: i64, %small: tensor<4xf32>) -> (f32, f32, f32) {
  %c0 = arith.constant 0 : i64
  %c512 = arith.constant 512 : index
  %at = arith.index_cast %i : i64 to index
  %0 = arith.cmpi sge, %i, %c0 : i64
  cf.assert %0, "below"
  %1 = arith.cmpi slt, %at, %c512 : index
  cf.assert %1, "above"
  %v = tensor.extract %table[%at] : tensor<512xf32>
  %other = arith.index_cast %k : i64 to index
  %2 = arith.cmpi slt, %other, %c512 : index
  cf.assert %2, "above"
  %w = tensor.extract %table[%other] : tensor<512xf32>
  %u = tensor.extract %small[%at] : tensor<4xf32>
  return %v, %w, %u : f32, f32, f32
}

// -----

// Rows of a rotary table up to the number of tokens, once; static slices are
// verified.
// CHECK-LABEL: func.func @slices
// CHECK: cf.assert %{{.*}}, "the length of a slice is out of range in dimension 0 of argument 0"
// CHECK: cf.assert %{{.*}}, "the length of a slice is out of range in dimension 0 of argument 1"
// CHECK: tensor.extract_slice
// CHECK-NOT: cf.assert
// CHECK: return
func.func @slices(%x: tensor<?x4xf32>, %table: tensor<9x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<3x4xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %0 = tensor.extract_slice %table[0, 0] [%n, 4] [1, 1] : tensor<9x4xf32> to tensor<?x4xf32>
  %1 = tensor.extract_slice %table[0, 0] [%n, 4] [1, 1] : tensor<9x4xf32> to tensor<?x4xf32>
  %2 = tensor.extract_slice %table[2, 0] [3, 4] [1, 1] : tensor<9x4xf32> to tensor<3x4xf32>
  %3 = tensor.insert_slice %2 into %x[0, 0] [3, 4] [1, 1] : tensor<3x4xf32> into tensor<?x4xf32>
  return %0, %1, %2, %3 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<3x4xf32>, tensor<?x4xf32>
}

// -----

// Every third row from some place: as many as are left, rounded up.
// CHECK-LABEL: func.func @strided
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[AT:.*]]: index, %[[BY:.*]]: index
// CHECK: %[[N:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[O:.*]] = arith.cmpi ule, %[[AT]], %[[N]] : index
// CHECK: cf.assert %[[O]], "the offset of a slice is out of range in dimension 0 of argument 0"
// CHECK: %[[R:.*]] = arith.subi %[[N]], %[[AT]] : index
// CHECK: %[[S:.*]] = arith.cmpi sge, %[[BY]], %{{.*}} : index
// CHECK: cf.assert %[[S]], "the stride of a slice is out of range in dimension 0 of argument 0"
// CHECK: %[[M:.*]] = arith.ceildivsi %[[R]], %[[BY]] : index
// CHECK: %[[L:.*]] = arith.cmpi ule, %c2, %[[M]] : index
// CHECK: cf.assert %[[L]], "the length of a slice is out of range in dimension 0 of argument 0"
func.func @strided(%x: tensor<?x4xf32>, %at: index, %by: index) -> tensor<2x4xf32> {
  %0 = tensor.extract_slice %x[%at, 0] [2, 4] [%by, 1] : tensor<?x4xf32> to tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// What is inserted has the slice's sizes, of which one is dropped.
// CHECK-LABEL: func.func @inserted
// CHECK: cf.assert %{{.*}}, "the length of a slice must be dimension 0 of argument 1 in tensor.insert_slice"
// CHECK: cf.assert %{{.*}}, "the length of a slice is out of range in dimension 1 of argument 0"
// CHECK-NOT: cf.assert
func.func @inserted(%x: tensor<2x?x4xf32>, %y: tensor<?x4xf32>, %n: index) -> tensor<2x?x4xf32> {
  %0 = tensor.insert_slice %y into %x[1, 0, 0] [1, %n, 4] [1, 1, 1] : tensor<?x4xf32> into tensor<2x?x4xf32>
  return %0 : tensor<2x?x4xf32>
}

// -----

// One dimension made two.
// CHECK-LABEL: func.func @expanded
// CHECK: %[[P:.*]] = arith.muli %{{.*}}, %c4
// CHECK: %[[E:.*]] = arith.cmpi eq, %[[P]], %{{.*}} : index
// CHECK: cf.assert %[[E]], "sizes must have the product of dimension 0 of argument 0 in tensor.expand_shape"
// CHECK-NOT: cf.assert
func.func @expanded(%x: tensor<?xf32>, %n: index) -> (tensor<?x4xf32>, tensor<1x?xf32>) {
  %c0 = arith.constant 0 : index
  %0 = tensor.expand_shape %x [[0, 1]] output_shape [%n, 4] : tensor<?xf32> into tensor<?x4xf32>
  %m = tensor.dim %x, %c0 : tensor<?xf32>
  %1 = tensor.expand_shape %x [[0, 1]] output_shape [1, %m] : tensor<?xf32> into tensor<1x?xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<1x?xf32>
}

// -----

// A label that is ignored (-100) is read nowhere.
// CHECK-LABEL: func.func @ignored
// CHECK: %[[IN:.*]] = arith.cmpi ult, %[[I:.*]], %{{.*}} : index
// CHECK: %[[CLAMPED:.*]] = arith.select %[[IN]], %[[I]], %{{.*}} : index
// CHECK: tensor.extract %arg1[%{{.*}}, %[[CLAMPED]]]
// CHECK-NOT: cf.assert
func.func @ignored(%labels: tensor<8xi64>, %logits: tensor<8x32xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(j) -> (j)>, affine_map<(j) -> (j)>], iterator_types = ["parallel"]}
      ins(%labels : tensor<8xi64>) outs(%e : tensor<8xf32>) {
  ^bb0(%label: i64, %out: f32):
    %none = arith.constant -100 : i64
    %zero = arith.constant 0.0 : f32
    %j = linalg.index 0 : index
    %i = arith.index_cast %label : i64 to index
    %v = tensor.extract %logits[%j, %i] : tensor<8x32xf32>
    %skip = arith.cmpi eq, %label, %none : i64
    %r = arith.select %skip, %zero, %v : f32
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// An index of data and of the loop: the loop's size is that of its result.
// CHECK: #[[ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @relative
// CHECK: %[[E:.*]] = tensor.empty(%{{.*}}) : tensor<?xi1>
// CHECK: linalg.generic {indexing_maps = [#[[ROW]], #[[COLUMN]], #{{.*}}], iterator_types = ["reduction", "reduction"]} ins(%arg0, %[[E]] : tensor<?xi64>, tensor<?xi1>)
// CHECK: linalg.index 1
// CHECK: cf.assert %{{.*}}, "index out of range in dimension 0 of argument 1"
func.func @relative(%at: tensor<?xi64>, %bias: tensor<?xf32>, %e: tensor<3x?x?xf32>) -> tensor<3x?x?xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(h, i, j) -> (i)>, affine_map<(h, i, j) -> (h, i, j)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%at : tensor<?xi64>) outs(%e : tensor<3x?x?xf32>) {
  ^bb0(%first: i64, %out: f32):
    %j = linalg.index 2 : index
    %i = arith.index_cast %first : i64 to index
    %d = arith.subi %i, %j : index
    %v = tensor.extract %bias[%d] : tensor<?xf32>
    linalg.yield %v : f32
  } -> tensor<3x?x?xf32>
  return %0 : tensor<3x?x?xf32>
}

// -----

// What a loop carries is data, its own index not; a thread team asserts nothing.
// CHECK-LABEL: func.func @loops
// CHECK: scf.for
// CHECK-NOT: cf.assert
// CHECK: tensor.extract
// CHECK: cf.assert %{{.*}}, "index out of range in dimension 0 of argument 0"
// CHECK: tensor.insert
// CHECK: scf.parallel
// CHECK-NOT: cf.assert
func.func @loops(%x: tensor<8xindex>, %n: index) -> tensor<8xindex> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%t = %x, %at = %c0) -> (tensor<8xindex>, index) {
    %next = tensor.extract %x[%i] : tensor<8xindex>
    %u = tensor.insert %i into %x[%at] : tensor<8xindex>
    scf.yield %u, %next : tensor<8xindex>, index
  }
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = tensor.extract %x[%i] : tensor<8xindex>
    %b = tensor.extract %x[%a] : tensor<8xindex>
    scf.reduce
  }
  return %r#0 : tensor<8xindex>
}

// -----

// CHECK-LABEL: func.func @joined
// CHECK: cf.assert %{{.*}}, "dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in tensor.concat"
func.func @joined(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %0 = tensor.concat dim(1) %a, %b : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// A permutation of columns that was checked with its weight.
// CHECK-LABEL: func.func @permuted
// CHECK-NOT: cf.assert
// CHECK: return
func.func @permuted(%x: tensor<?x4xf32>, %p: tensor<4xi32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(m, k) -> (k)>, affine_map<(m, k) -> (m, k)>], iterator_types = ["parallel", "parallel"]}
      ins(%p : tensor<4xi32>) outs(%e : tensor<?x4xf32>) attrs = {quant_llm.in_range} {
  ^bb0(%column: i32, %out: f32):
    %m = linalg.index 0 : index
    %k = arith.index_cast %column : i32 to index
    %v = tensor.extract %x[%m, %k] : tensor<?x4xf32>
    linalg.yield %v : f32
  } -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// Under a condition in a loop's body: that may be what makes it right.
// CHECK-LABEL: func.func @conditional
// CHECK-NOT: cf.assert
func.func @conditional(%ids: tensor<8xi64>, %table: tensor<32xf32>, %e: tensor<8xf32>) -> tensor<8xf32> {
  %z = arith.constant 0.0 : f32
  %z64 = arith.constant 0 : i64
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%ids : tensor<8xi64>) outs(%e : tensor<8xf32>) {
  ^bb0(%in: i64, %out: f32):
    %i = arith.index_cast %in : i64 to index
    %ok = arith.cmpi sge, %in, %z64 : i64
    %r = scf.if %ok -> f32 {
      %v = tensor.extract %table[%i] : tensor<32xf32>
      scf.yield %v : f32
    } else {
      scf.yield %z : f32
    }
    linalg.yield %r : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
