#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map7 = affine_map<(d0, d1, d2, d3) -> ()>
#map8 = affine_map<(d0, d1, d2, d3) -> (0, 0, 0, 0)>
#map9 = affine_map<(d0, d1, d2, d3) -> (0, 0, 0, d3)>
#map10 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map11 = affine_map<(d0, d1, d2) -> (d2)>
#map12 = affine_map<(d0, d1, d2, d3) -> (d0, 0, d2, d3)>
#map13 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map14 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
module attributes {quant_llm.weights = {model = "model.safetensors"}} {
  func.func @main(%arg0: tensor<1x?xi64>, %arg1: tensor<1x?xi64>) -> tensor<1x?x512xf32> {
    %c2_i64 = arith.constant 2 : i64
    %c0_i64 = arith.constant 0 : i64
    %c1_i64 = arith.constant 1 : i64
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %c512 = arith.constant 512 : index
    %c3 = arith.constant 3 : index
    %cst = arith.constant 0.000000e+00 : f32
    %c8_i64 = arith.constant 8 : i64
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant 1.000000e+00 : f32
    %cst_2 = arith.constant dense<-3.40282347E+38> : tensor<f32>
    %cst_3 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_4 = arith.constant dense<true> : tensor<i1>
    %cst_5 = arith.constant dense_resource<torch_tensor_64_torch.float32_10> : tensor<64xf32>
    %cst_6 = arith.constant dense_resource<torch_tensor_64_172_torch.float32_4> : tensor<64x172xf32>
    %cst_7 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_9> : tensor<172x64xf32>
    %cst_8 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_8> : tensor<172x64xf32>
    %cst_9 = arith.constant dense_resource<torch_tensor_64_torch.float32_9> : tensor<64xf32>
    %cst_10 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_9> : tensor<64x64xf32>
    %cst_11 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_9> : tensor<32x64xf32>
    %cst_12 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_8> : tensor<32x64xf32>
    %cst_13 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_8> : tensor<64x64xf32>
    %cst_14 = arith.constant dense_resource<torch_tensor_64_torch.float32_8> : tensor<64xf32>
    %cst_15 = arith.constant dense_resource<torch_tensor_64_172_torch.float32_3> : tensor<64x172xf32>
    %cst_16 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_7> : tensor<172x64xf32>
    %cst_17 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_6> : tensor<172x64xf32>
    %cst_18 = arith.constant dense_resource<torch_tensor_64_torch.float32_7> : tensor<64xf32>
    %cst_19 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_7> : tensor<64x64xf32>
    %cst_20 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_7> : tensor<32x64xf32>
    %cst_21 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_6> : tensor<32x64xf32>
    %cst_22 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_6> : tensor<64x64xf32>
    %cst_23 = arith.constant dense_resource<torch_tensor_64_torch.float32_6> : tensor<64xf32>
    %cst_24 = arith.constant dense_resource<torch_tensor_64_172_torch.float32_2> : tensor<64x172xf32>
    %cst_25 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_5> : tensor<172x64xf32>
    %cst_26 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_4> : tensor<172x64xf32>
    %cst_27 = arith.constant dense_resource<torch_tensor_64_torch.float32_5> : tensor<64xf32>
    %cst_28 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_5> : tensor<64x64xf32>
    %cst_29 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_5> : tensor<32x64xf32>
    %cst_30 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_4> : tensor<32x64xf32>
    %cst_31 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_4> : tensor<64x64xf32>
    %cst_32 = arith.constant dense_resource<torch_tensor_64_torch.float32_4> : tensor<64xf32>
    %cst_33 = arith.constant dense_resource<torch_tensor_64_172_torch.float32_1> : tensor<64x172xf32>
    %cst_34 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_3> : tensor<172x64xf32>
    %cst_35 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_2> : tensor<172x64xf32>
    %cst_36 = arith.constant dense_resource<torch_tensor_64_torch.float32_3> : tensor<64xf32>
    %cst_37 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_3> : tensor<64x64xf32>
    %cst_38 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_3> : tensor<32x64xf32>
    %cst_39 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_2> : tensor<32x64xf32>
    %cst_40 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_2> : tensor<64x64xf32>
    %cst_41 = arith.constant dense_resource<torch_tensor_64_torch.float32_2> : tensor<64xf32>
    %cst_42 = arith.constant dense_resource<torch_tensor_64_172_torch.float32> : tensor<64x172xf32>
    %cst_43 = arith.constant dense_resource<torch_tensor_172_64_torch.float32_1> : tensor<172x64xf32>
    %cst_44 = arith.constant dense_resource<torch_tensor_172_64_torch.float32> : tensor<172x64xf32>
    %cst_45 = arith.constant dense_resource<torch_tensor_64_torch.float32_1> : tensor<64xf32>
    %cst_46 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_1> : tensor<64x64xf32>
    %cst_47 = arith.constant 0.35355339059327379 : f64
    %cst_48 = arith.constant dense_resource<torch_tensor_32_64_torch.float32_1> : tensor<32x64xf32>
    %cst_49 = arith.constant dense_resource<torch_tensor_32_64_torch.float32> : tensor<32x64xf32>
    %cst_50 = arith.constant dense_resource<torch_tensor_64_64_torch.float32> : tensor<64x64xf32>
    %cst_51 = arith.constant dense_resource<torch_tensor_64_torch.float32> : tensor<64xf32>
    %cst_52 = arith.constant 1.000000e-05 : f64
    %cst_53 = arith.constant dense_resource<torch_tensor_4_torch.float32> : tensor<4xf32>
    %cst_54 = arith.constant dense_resource<torch_tensor_512_64_torch.float32> : tensor<512x64xf32>
    %cst_55 = arith.constant 6.400000e+01 : f32
    %c64_i64 = arith.constant 64 : i64
    %c32_i64 = arith.constant 32 : i64
    %c2 = arith.constant 2 : index
    %dim = tensor.dim %arg0, %c1 : tensor<1x?xi64>
    %0 = arith.index_cast %dim : index to i64
    %1 = tensor.empty(%dim) : tensor<1x?x64xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<1x?xi64>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: i64, %out: f32):
      %397 = arith.index_cast %in : i64 to index
      %398 = linalg.index 2 : index
      %399 = arith.cmpi slt, %397, %c512 : index
      cf.assert %399, "index must be smaller than dim size"
      %400 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %400, "index must be larger or equal to 0"
      %extracted = tensor.extract %cst_54[%397, %398] : tensor<512x64xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x?x64xf32>
    %3 = tensor.empty(%dim) : tensor<?xi64>
    %4 = linalg.generic {indexing_maps = [#map2], iterator_types = ["parallel"]} outs(%3 : tensor<?xi64>) {
    ^bb0(%out: i64):
      %397 = linalg.index 0 : index
      %398 = arith.index_cast %397 : index to i64
      linalg.yield %398 : i64
    } -> tensor<?xi64>
    %dim_56 = tensor.dim %arg1, %c1 : tensor<1x?xi64>
    %5 = tensor.empty(%dim_56) : tensor<1x?xi1>
    %6 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<1x?xi64>) outs(%5 : tensor<1x?xi1>) {
    ^bb0(%in: i64, %out: i1):
      %397 = arith.cmpi ne, %in, %c0_i64 : i64
      linalg.yield %397 : i1
    } -> tensor<1x?xi1>
    %7 = tensor.empty() : tensor<1xi64>
    %8 = linalg.generic {indexing_maps = [#map2], iterator_types = ["parallel"]} outs(%7 : tensor<1xi64>) {
    ^bb0(%out: i64):
      linalg.yield %c0_i64 : i64
    } -> tensor<1xi64>
    %expanded = tensor.expand_shape %8 [[0, 1, 2, 3]] output_shape [1, 1, 1, 1] : tensor<1xi64> into tensor<1x1x1x1xi64>
    %expanded_57 = tensor.expand_shape %4 [[0, 1, 2, 3]] output_shape [1, 1, %dim, 1] : tensor<?xi64> into tensor<1x1x?x1xi64>
    %expanded_58 = tensor.expand_shape %4 [[0, 1, 2, 3]] output_shape [1, 1, 1, %dim] : tensor<?xi64> into tensor<1x1x1x?xi64>
    %9 = tensor.empty(%dim, %dim) : tensor<1x1x?x?xi1>
    %10 = linalg.generic {indexing_maps = [#map4, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_58, %expanded_57 : tensor<1x1x1x?xi64>, tensor<1x1x?x1xi64>) outs(%9 : tensor<1x1x?x?xi1>) {
    ^bb0(%in: i64, %in_297: i64, %out: i1):
      %397 = arith.cmpi sle, %in, %in_297 : i64
      linalg.yield %397 : i1
    } -> tensor<1x1x?x?xi1>
    %11 = linalg.generic {indexing_maps = [#map7, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_4, %10 : tensor<i1>, tensor<1x1x?x?xi1>) outs(%9 : tensor<1x1x?x?xi1>) {
    ^bb0(%in: i1, %in_297: i1, %out: i1):
      %397 = arith.andi %in, %in_297 : i1
      linalg.yield %397 : i1
    } -> tensor<1x1x?x?xi1>
    %dim_59 = tensor.dim %expanded_58, %c3 : tensor<1x1x1x?xi64>
    %12 = tensor.empty(%dim_59) : tensor<1x1x1x?xi1>
    %13 = linalg.generic {indexing_maps = [#map8, #map9, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %expanded_58 : tensor<1x1x1x1xi64>, tensor<1x1x1x?xi64>) outs(%12 : tensor<1x1x1x?xi1>) {
    ^bb0(%in: i64, %in_297: i64, %out: i1):
      %397 = arith.cmpi slt, %in, %c0_i64 : i64
      %398 = arith.addi %in, %c1_i64 : i64
      %399 = arith.select %397, %398, %in : i64
      %400 = arith.index_cast %399 : i64 to index
      %401 = arith.cmpi slt, %in_297, %c0_i64 : i64
      %402 = arith.index_cast %dim_56 : index to i64
      %403 = arith.addi %in_297, %402 : i64
      %404 = arith.select %401, %403, %in_297 : i64
      %405 = arith.index_cast %404 : i64 to index
      %extracted = tensor.extract %6[%400, %405] : tensor<1x?xi1>
      linalg.yield %extracted : i1
    } -> tensor<1x1x1x?xi1>
    %14 = arith.cmpi eq, %dim, %dim_59 : index
    cf.assert %14, "mismatched size for broadcast"
    %15 = linalg.generic {indexing_maps = [#map6, #map4, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11, %13 : tensor<1x1x?x?xi1>, tensor<1x1x1x?xi1>) outs(%9 : tensor<1x1x?x?xi1>) {
    ^bb0(%in: i1, %in_297: i1, %out: i1):
      %397 = arith.andi %in, %in_297 : i1
      linalg.yield %397 : i1
    } -> tensor<1x1x?x?xi1>
    %16 = arith.cmpi sge, %0, %c0_i64 : i64
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %17 = tensor.empty(%dim, %dim) : tensor<1x1x?x?xi1>
    %18 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%17 : tensor<1x1x?x?xi1>) {
    ^bb0(%out: i1):
      %397 = linalg.index 2 : index
      %398 = linalg.index 3 : index
      %399 = arith.cmpi eq, %dim, %c1 : index
      %400 = arith.select %399, %c0, %397 : index
      %401 = arith.select %399, %c0, %398 : index
      %extracted = tensor.extract %15[%c0, %c0, %400, %401] : tensor<1x1x?x?xi1>
      linalg.yield %extracted : i1
    } -> tensor<1x1x?x?xi1>
    %19 = tensor.empty(%dim, %dim) : tensor<1x1x?x?xf32>
    %20 = linalg.generic {indexing_maps = [#map6, #map7, #map7, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%18, %cst_3, %cst_2 : tensor<1x1x?x?xi1>, tensor<f32>, tensor<f32>) outs(%19 : tensor<1x1x?x?xf32>) {
    ^bb0(%in: i1, %in_297: f32, %in_298: f32, %out: f32):
      %397 = arith.select %in, %in_297, %in_298 : f32
      linalg.yield %397 : f32
    } -> tensor<1x1x?x?xf32>
    %expanded_60 = tensor.expand_shape %4 [[0, 1, 2]] output_shape [1, %dim, 1] : tensor<?xi64> into tensor<1x?x1xi64>
    %21 = tensor.empty(%dim) : tensor<1x?x1xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_60 : tensor<1x?x1xi64>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: i64, %out: f32):
      %397 = arith.sitofp %in : i64 to f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %23 = tensor.empty(%dim) : tensor<1x?x4xf32>
    %24 = linalg.generic {indexing_maps = [#map10, #map11, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%22, %cst_53 : tensor<1x?x1xf32>, tensor<4xf32>) outs(%23 : tensor<1x?x4xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x4xf32>
    %concat = tensor.concat dim(2) %24, %24 : (tensor<1x?x4xf32>, tensor<1x?x4xf32>) -> tensor<1x?x8xf32>
    %dim_61 = tensor.dim %24, %c1 : tensor<1x?x4xf32>
    %25 = tensor.empty(%dim_61) : tensor<1x?x8xf32>
    %26 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%concat : tensor<1x?x8xf32>) outs(%25 : tensor<1x?x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.cos %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x8xf32>
    %27 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%concat : tensor<1x?x8xf32>) outs(%25 : tensor<1x?x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.sin %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x8xf32>
    %28 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%2 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %29 = linalg.fill ins(%cst : f32) outs(%21 : tensor<1x?x1xf32>) -> tensor<1x?x1xf32>
    %30 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%28 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %31 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%30 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %32 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%31 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %33 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%32 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %34 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%2, %33 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %35 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_51, %34 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %36 = tensor.empty() : tensor<64x64xf32>
    %transposed = linalg.transpose ins(%cst_50 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed = tensor.collapse_shape %35 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %37 = tensor.empty(%dim) : tensor<?x64xf32>
    %38 = linalg.fill ins(%cst : f32) outs(%37 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %39 = linalg.matmul ins(%collapsed, %transposed : tensor<?x64xf32>, tensor<64x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_62 = tensor.expand_shape %39 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %40 = arith.cmpi slt, %0, %c0_i64 : i64
    %41 = arith.select %40, %c1_i64, %0 : i64
    %42 = arith.extui %40 : i1 to i64
    %43 = arith.addi %42, %c1_i64 : i64
    %44 = arith.muli %41, %c8_i64 : i64
    %45 = arith.cmpi sle, %43, %c1_i64 : i64
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %46 = arith.muli %0, %c64_i64 : i64
    %47 = arith.divsi %46, %44 : i64
    %48 = arith.select %40, %47, %0 : i64
    %from_elements = tensor.from_elements %c1_i64, %48, %47, %c8_i64 : tensor<4xi64>
    %reshape = tensor.reshape %expanded_62(%from_elements) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
    %49 = arith.index_cast %48 : i64 to index
    %50 = tensor.empty(%49) : tensor<1x8x?x8xf32>
    %transposed_63 = linalg.transpose ins(%reshape : tensor<1x?x8x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) permutation = [0, 2, 1, 3] 
    %51 = tensor.empty() : tensor<64x32xf32>
    %transposed_64 = linalg.transpose ins(%cst_49 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %52 = tensor.empty(%dim) : tensor<?x32xf32>
    %53 = linalg.fill ins(%cst : f32) outs(%52 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %54 = linalg.matmul ins(%collapsed, %transposed_64 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_65 = tensor.expand_shape %54 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %55 = arith.muli %0, %c32_i64 : i64
    %56 = arith.divsi %55, %44 : i64
    %57 = arith.select %40, %56, %0 : i64
    %from_elements_66 = tensor.from_elements %c1_i64, %57, %56, %c8_i64 : tensor<4xi64>
    %reshape_67 = tensor.reshape %expanded_65(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %58 = arith.index_cast %57 : i64 to index
    %59 = tensor.empty(%58) : tensor<1x4x?x8xf32>
    %transposed_68 = linalg.transpose ins(%reshape_67 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_69 = linalg.transpose ins(%cst_48 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %60 = linalg.matmul ins(%collapsed, %transposed_69 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_70 = tensor.expand_shape %60 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_71 = tensor.reshape %expanded_70(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_72 = linalg.transpose ins(%reshape_71 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %expanded_73 = tensor.expand_shape %26 [[0], [1, 2], [3]] output_shape [1, 1, %dim_61, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
    %expanded_74 = tensor.expand_shape %27 [[0], [1, 2], [3]] output_shape [1, 1, %dim_61, 8] : tensor<1x?x8xf32> into tensor<1x1x?x8xf32>
    %61 = arith.cmpi eq, %49, %dim_61 : index
    cf.assert %61, "mismatched size for broadcast"
    %62 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_63, %expanded_73 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %extracted_slice = tensor.extract_slice %transposed_63[0, 0, 0, 0] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %extracted_slice_75 = tensor.extract_slice %transposed_63[0, 0, 0, 4] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %63 = tensor.empty(%49) : tensor<1x8x?x4xf32>
    %64 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_75 : tensor<1x8x?x4xf32>) outs(%63 : tensor<1x8x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x4xf32>
    %concat_76 = tensor.concat dim(3) %64, %extracted_slice : (tensor<1x8x?x4xf32>, tensor<1x8x?x4xf32>) -> tensor<1x8x?x8xf32>
    %dim_77 = tensor.dim %64, %c2 : tensor<1x8x?x4xf32>
    %65 = arith.cmpi eq, %dim_77, %dim_61 : index
    cf.assert %65, "mismatched size for broadcast"
    %66 = tensor.empty(%dim_77) : tensor<1x8x?x8xf32>
    %67 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_76, %expanded_74 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%66 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %68 = arith.cmpi eq, %49, %dim_77 : index
    cf.assert %68, "mismatched size for broadcast"
    %69 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%62, %67 : tensor<1x8x?x8xf32>, tensor<1x8x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %70 = arith.cmpi eq, %58, %dim_61 : index
    cf.assert %70, "mismatched size for broadcast"
    %71 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_68, %expanded_73 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %extracted_slice_78 = tensor.extract_slice %transposed_68[0, 0, 0, 0] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %extracted_slice_79 = tensor.extract_slice %transposed_68[0, 0, 0, 4] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %72 = tensor.empty(%58) : tensor<1x4x?x4xf32>
    %73 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_79 : tensor<1x4x?x4xf32>) outs(%72 : tensor<1x4x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x4xf32>
    %concat_80 = tensor.concat dim(3) %73, %extracted_slice_78 : (tensor<1x4x?x4xf32>, tensor<1x4x?x4xf32>) -> tensor<1x4x?x8xf32>
    %dim_81 = tensor.dim %73, %c2 : tensor<1x4x?x4xf32>
    %74 = arith.cmpi eq, %dim_81, %dim_61 : index
    cf.assert %74, "mismatched size for broadcast"
    %75 = tensor.empty(%dim_81) : tensor<1x4x?x8xf32>
    %76 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_80, %expanded_74 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%75 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %77 = arith.cmpi eq, %58, %dim_81 : index
    cf.assert %77, "mismatched size for broadcast"
    %78 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%71, %76 : tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %expanded_82 = tensor.expand_shape %78 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %79 = tensor.empty(%dim) : tensor<1x4x2x?x8xf32>
    %80 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_82[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_83 = tensor.collapse_shape %80 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %expanded_84 = tensor.expand_shape %transposed_72 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %81 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_84[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_85 = tensor.collapse_shape %81 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %82 = tensor.empty(%dim) : tensor<1x8x8x?xf32>
    %transposed_86 = linalg.transpose ins(%collapsed_83 : tensor<1x8x?x8xf32>) outs(%82 : tensor<1x8x8x?xf32>) permutation = [0, 1, 3, 2] 
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %83 = tensor.empty(%dim) : tensor<1x8x?x8xf32>
    %84 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %49, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %69[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_87 = tensor.collapse_shape %84 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %85 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%82 : tensor<1x8x8x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %transposed_86[%c0, %397, %398, %401] : tensor<1x8x8x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x8x?xf32>
    %collapsed_88 = tensor.collapse_shape %85 [[0, 1], [2], [3]] : tensor<1x8x8x?xf32> into tensor<8x8x?xf32>
    %86 = tensor.empty(%dim, %dim) : tensor<8x?x?xf32>
    %87 = linalg.fill ins(%cst : f32) outs(%86 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    %88 = linalg.batch_matmul ins(%collapsed_87, %collapsed_88 : tensor<8x?x8xf32>, tensor<8x8x?xf32>) outs(%87 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    %89 = arith.muli %0, %c8_i64 : i64
    %90 = arith.select %40, %c8_i64, %89 : i64
    %91 = arith.muli %90, %0 : i64
    %92 = arith.select %40, %c8_i64, %91 : i64
    %93 = arith.select %40, %43, %42 : i64
    %94 = arith.cmpi sle, %93, %c1_i64 : i64
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %95 = arith.muli %89, %0 : i64
    %96 = arith.divsi %95, %92 : i64
    %97 = arith.select %40, %96, %0 : i64
    %from_elements_89 = tensor.from_elements %c1_i64, %c8_i64, %97, %97 : tensor<4xi64>
    %reshape_90 = tensor.reshape %88(%from_elements_89) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
    %98 = arith.index_cast %97 : i64 to index
    %99 = tensor.empty(%98, %98) : tensor<1x8x?x?xf32>
    %100 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%reshape_90 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_47 : f64 to f32
      %398 = arith.mulf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x8x?x?xf32>
    %101 = arith.cmpi eq, %98, %dim : index
    cf.assert %101, "mismatched size for broadcast"
    cf.assert %101, "mismatched size for broadcast"
    %102 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%100, %20 : tensor<1x8x?x?xf32>, tensor<1x1x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %103 = tensor.empty(%98) : tensor<1x8x?xi64>
    %104 = linalg.fill ins(%c0_i64 : i64) outs(%103 : tensor<1x8x?xi64>) -> tensor<1x8x?xi64>
    %105 = tensor.empty(%98) : tensor<1x8x?xf32>
    %106 = linalg.fill ins(%cst_0 : f32) outs(%105 : tensor<1x8x?xf32>) -> tensor<1x8x?xf32>
    %107:2 = linalg.generic {indexing_maps = [#map6, #map14, #map14], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%102 : tensor<1x8x?x?xf32>) outs(%106, %104 : tensor<1x8x?xf32>, tensor<1x8x?xi64>) {
    ^bb0(%in: f32, %out: f32, %out_297: i64):
      %397 = linalg.index 3 : index
      %398 = arith.index_cast %397 : index to i64
      %399 = arith.maximumf %in, %out : f32
      %400 = arith.cmpf ogt, %in, %out : f32
      %401 = arith.select %400, %398, %out_297 : i64
      linalg.yield %399, %401 : f32, i64
    } -> (tensor<1x8x?xf32>, tensor<1x8x?xi64>)
    %expanded_91 = tensor.expand_shape %107#0 [[0], [1], [2, 3]] output_shape [1, 8, %98, 1] : tensor<1x8x?xf32> into tensor<1x8x?x1xf32>
    %108 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%102, %expanded_91 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.subf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %109 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%108 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.exp %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %110 = tensor.empty(%98) : tensor<1x8x?x1xf32>
    %111 = linalg.fill ins(%cst : f32) outs(%110 : tensor<1x8x?x1xf32>) -> tensor<1x8x?x1xf32>
    %112 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%109 : tensor<1x8x?x?xf32>) outs(%111 : tensor<1x8x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x1xf32>
    %113 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%109, %112 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.divf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %114 = tensor.empty(%dim, %dim) : tensor<1x8x?x?xf32>
    %115 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%114 : tensor<1x8x?x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %98, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %402 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %113[%c0, %397, %401, %402] : tensor<1x8x?x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %from_elements_92 = tensor.from_elements %c8_i64, %97, %97 : tensor<3xi64>
    %reshape_93 = tensor.reshape %115(%from_elements_92) : (tensor<1x8x?x?xf32>, tensor<3xi64>) -> tensor<8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %116 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %collapsed_85[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_94 = tensor.collapse_shape %116 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    %117 = arith.cmpi eq, %97, %0 : i64
    cf.assert %117, "mismatching contracting dimension"
    %118 = tensor.empty(%98) : tensor<8x?x8xf32>
    %119 = linalg.fill ins(%cst : f32) outs(%118 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %120 = linalg.batch_matmul ins(%reshape_93, %collapsed_94 : tensor<8x?x?xf32>, tensor<8x?x8xf32>) outs(%119 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %expanded_95 = tensor.expand_shape %120 [[0, 1], [2], [3]] output_shape [1, 8, %98, 8] : tensor<8x?x8xf32> into tensor<1x8x?x8xf32>
    %121 = tensor.empty(%98) : tensor<1x?x8x8xf32>
    %transposed_96 = linalg.transpose ins(%expanded_95 : tensor<1x8x?x8xf32>) outs(%121 : tensor<1x?x8x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %122 = arith.muli %97, %c64_i64 : i64
    %123 = arith.divsi %122, %41 : i64
    %124 = arith.select %40, %123, %0 : i64
    %from_elements_97 = tensor.from_elements %c1_i64, %124, %123 : tensor<3xi64>
    %reshape_98 = tensor.reshape %transposed_96(%from_elements_97) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
    %transposed_99 = linalg.transpose ins(%cst_46 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_100 = tensor.collapse_shape %reshape_98 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %125 = arith.index_cast %124 : i64 to index
    %126 = tensor.empty(%125) : tensor<?x64xf32>
    %127 = linalg.fill ins(%cst : f32) outs(%126 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %128 = linalg.matmul ins(%collapsed_100, %transposed_99 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%127 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_101 = tensor.expand_shape %128 [[0, 1], [2]] output_shape [1, %125, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %129 = arith.cmpi eq, %dim, %125 : index
    cf.assert %129, "mismatched size for broadcast"
    %130 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%2, %expanded_101 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %131 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%130 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %132 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%131 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %133 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%132 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %134 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%133 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %135 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%134 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %136 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%130, %135 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %137 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_45, %136 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %138 = tensor.empty() : tensor<64x172xf32>
    %transposed_102 = linalg.transpose ins(%cst_44 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %collapsed_103 = tensor.collapse_shape %137 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %139 = tensor.empty(%dim) : tensor<?x172xf32>
    %140 = linalg.fill ins(%cst : f32) outs(%139 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %141 = linalg.matmul ins(%collapsed_103, %transposed_102 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_104 = tensor.expand_shape %141 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %142 = tensor.empty(%dim) : tensor<1x?x172xf32>
    %143 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_104 : tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      %398 = math.exp %397 : f32
      %399 = arith.addf %398, %cst_1 : f32
      %400 = arith.divf %cst_1, %399 : f32
      linalg.yield %400 : f32
    } -> tensor<1x?x172xf32>
    %144 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_104, %143 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_105 = linalg.transpose ins(%cst_43 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %145 = linalg.matmul ins(%collapsed_103, %transposed_105 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_106 = tensor.expand_shape %145 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %146 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%144, %expanded_106 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %147 = tensor.empty() : tensor<172x64xf32>
    %transposed_107 = linalg.transpose ins(%cst_42 : tensor<64x172xf32>) outs(%147 : tensor<172x64xf32>) permutation = [1, 0] 
    %collapsed_108 = tensor.collapse_shape %146 [[0, 1], [2]] : tensor<1x?x172xf32> into tensor<?x172xf32>
    %148 = linalg.matmul ins(%collapsed_108, %transposed_107 : tensor<?x172xf32>, tensor<172x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_109 = tensor.expand_shape %148 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %149 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%130, %expanded_109 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %150 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%149 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %151 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%150 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %152 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%151 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %153 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%152 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %154 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%153 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %155 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%149, %154 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %156 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_41, %155 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_110 = linalg.transpose ins(%cst_40 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_111 = tensor.collapse_shape %156 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %157 = linalg.matmul ins(%collapsed_111, %transposed_110 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_112 = tensor.expand_shape %157 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_113 = tensor.reshape %expanded_112(%from_elements) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
    %transposed_114 = linalg.transpose ins(%reshape_113 : tensor<1x?x8x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_115 = linalg.transpose ins(%cst_39 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %158 = linalg.matmul ins(%collapsed_111, %transposed_115 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_116 = tensor.expand_shape %158 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_117 = tensor.reshape %expanded_116(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_118 = linalg.transpose ins(%reshape_117 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_119 = linalg.transpose ins(%cst_38 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %159 = linalg.matmul ins(%collapsed_111, %transposed_119 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_120 = tensor.expand_shape %159 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_121 = tensor.reshape %expanded_120(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_122 = linalg.transpose ins(%reshape_121 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %61, "mismatched size for broadcast"
    %160 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_114, %expanded_73 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %extracted_slice_123 = tensor.extract_slice %transposed_114[0, 0, 0, 0] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %extracted_slice_124 = tensor.extract_slice %transposed_114[0, 0, 0, 4] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %161 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_124 : tensor<1x8x?x4xf32>) outs(%63 : tensor<1x8x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x4xf32>
    %concat_125 = tensor.concat dim(3) %161, %extracted_slice_123 : (tensor<1x8x?x4xf32>, tensor<1x8x?x4xf32>) -> tensor<1x8x?x8xf32>
    %dim_126 = tensor.dim %161, %c2 : tensor<1x8x?x4xf32>
    %162 = arith.cmpi eq, %dim_126, %dim_61 : index
    cf.assert %162, "mismatched size for broadcast"
    %163 = tensor.empty(%dim_126) : tensor<1x8x?x8xf32>
    %164 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_125, %expanded_74 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%163 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %165 = arith.cmpi eq, %49, %dim_126 : index
    cf.assert %165, "mismatched size for broadcast"
    %166 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%160, %164 : tensor<1x8x?x8xf32>, tensor<1x8x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    cf.assert %70, "mismatched size for broadcast"
    %167 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_118, %expanded_73 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %extracted_slice_127 = tensor.extract_slice %transposed_118[0, 0, 0, 0] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %extracted_slice_128 = tensor.extract_slice %transposed_118[0, 0, 0, 4] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %168 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_128 : tensor<1x4x?x4xf32>) outs(%72 : tensor<1x4x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x4xf32>
    %concat_129 = tensor.concat dim(3) %168, %extracted_slice_127 : (tensor<1x4x?x4xf32>, tensor<1x4x?x4xf32>) -> tensor<1x4x?x8xf32>
    %dim_130 = tensor.dim %168, %c2 : tensor<1x4x?x4xf32>
    %169 = arith.cmpi eq, %dim_130, %dim_61 : index
    cf.assert %169, "mismatched size for broadcast"
    %170 = tensor.empty(%dim_130) : tensor<1x4x?x8xf32>
    %171 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_129, %expanded_74 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%170 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %172 = arith.cmpi eq, %58, %dim_130 : index
    cf.assert %172, "mismatched size for broadcast"
    %173 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%167, %171 : tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %expanded_131 = tensor.expand_shape %173 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %174 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_131[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_132 = tensor.collapse_shape %174 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %expanded_133 = tensor.expand_shape %transposed_122 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %175 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_133[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_134 = tensor.collapse_shape %175 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_135 = linalg.transpose ins(%collapsed_132 : tensor<1x8x?x8xf32>) outs(%82 : tensor<1x8x8x?xf32>) permutation = [0, 1, 3, 2] 
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %176 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %49, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %166[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_136 = tensor.collapse_shape %176 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %177 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%82 : tensor<1x8x8x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %transposed_135[%c0, %397, %398, %401] : tensor<1x8x8x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x8x?xf32>
    %collapsed_137 = tensor.collapse_shape %177 [[0, 1], [2], [3]] : tensor<1x8x8x?xf32> into tensor<8x8x?xf32>
    %178 = linalg.batch_matmul ins(%collapsed_136, %collapsed_137 : tensor<8x?x8xf32>, tensor<8x8x?xf32>) outs(%87 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_138 = tensor.reshape %178(%from_elements_89) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
    %179 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%reshape_138 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_47 : f64 to f32
      %398 = arith.mulf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %101, "mismatched size for broadcast"
    cf.assert %101, "mismatched size for broadcast"
    %180 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%179, %20 : tensor<1x8x?x?xf32>, tensor<1x1x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %181:2 = linalg.generic {indexing_maps = [#map6, #map14, #map14], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%180 : tensor<1x8x?x?xf32>) outs(%106, %104 : tensor<1x8x?xf32>, tensor<1x8x?xi64>) {
    ^bb0(%in: f32, %out: f32, %out_297: i64):
      %397 = linalg.index 3 : index
      %398 = arith.index_cast %397 : index to i64
      %399 = arith.maximumf %in, %out : f32
      %400 = arith.cmpf ogt, %in, %out : f32
      %401 = arith.select %400, %398, %out_297 : i64
      linalg.yield %399, %401 : f32, i64
    } -> (tensor<1x8x?xf32>, tensor<1x8x?xi64>)
    %expanded_139 = tensor.expand_shape %181#0 [[0], [1], [2, 3]] output_shape [1, 8, %98, 1] : tensor<1x8x?xf32> into tensor<1x8x?x1xf32>
    %182 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%180, %expanded_139 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.subf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %183 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%182 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.exp %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %184 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%183 : tensor<1x8x?x?xf32>) outs(%111 : tensor<1x8x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x1xf32>
    %185 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%183, %184 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.divf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %186 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%114 : tensor<1x8x?x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %98, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %402 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %185[%c0, %397, %401, %402] : tensor<1x8x?x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_140 = tensor.reshape %186(%from_elements_92) : (tensor<1x8x?x?xf32>, tensor<3xi64>) -> tensor<8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %187 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %collapsed_134[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_141 = tensor.collapse_shape %187 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %117, "mismatching contracting dimension"
    %188 = linalg.batch_matmul ins(%reshape_140, %collapsed_141 : tensor<8x?x?xf32>, tensor<8x?x8xf32>) outs(%119 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %expanded_142 = tensor.expand_shape %188 [[0, 1], [2], [3]] output_shape [1, 8, %98, 8] : tensor<8x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_143 = linalg.transpose ins(%expanded_142 : tensor<1x8x?x8xf32>) outs(%121 : tensor<1x?x8x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_144 = tensor.reshape %transposed_143(%from_elements_97) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
    %transposed_145 = linalg.transpose ins(%cst_37 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_146 = tensor.collapse_shape %reshape_144 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %189 = arith.index_cast %124 : i64 to index
    %190 = tensor.empty(%189) : tensor<?x64xf32>
    %191 = linalg.fill ins(%cst : f32) outs(%190 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %192 = linalg.matmul ins(%collapsed_146, %transposed_145 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%191 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_147 = tensor.expand_shape %192 [[0, 1], [2]] output_shape [1, %189, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %193 = arith.cmpi eq, %dim, %189 : index
    cf.assert %193, "mismatched size for broadcast"
    %194 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%149, %expanded_147 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %195 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%194 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %196 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%195 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %197 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%196 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %198 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%197 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %199 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%198 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %200 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%194, %199 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %201 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_36, %200 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_148 = linalg.transpose ins(%cst_35 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %collapsed_149 = tensor.collapse_shape %201 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %202 = linalg.matmul ins(%collapsed_149, %transposed_148 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_150 = tensor.expand_shape %202 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %203 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_150 : tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      %398 = math.exp %397 : f32
      %399 = arith.addf %398, %cst_1 : f32
      %400 = arith.divf %cst_1, %399 : f32
      linalg.yield %400 : f32
    } -> tensor<1x?x172xf32>
    %204 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_150, %203 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_151 = linalg.transpose ins(%cst_34 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %205 = linalg.matmul ins(%collapsed_149, %transposed_151 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_152 = tensor.expand_shape %205 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %206 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%204, %expanded_152 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_153 = linalg.transpose ins(%cst_33 : tensor<64x172xf32>) outs(%147 : tensor<172x64xf32>) permutation = [1, 0] 
    %collapsed_154 = tensor.collapse_shape %206 [[0, 1], [2]] : tensor<1x?x172xf32> into tensor<?x172xf32>
    %207 = linalg.matmul ins(%collapsed_154, %transposed_153 : tensor<?x172xf32>, tensor<172x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_155 = tensor.expand_shape %207 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %208 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%194, %expanded_155 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %209 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%208 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %210 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%209 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %211 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%210 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %212 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%211 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %213 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%212 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %214 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%208, %213 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %215 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_32, %214 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_156 = linalg.transpose ins(%cst_31 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_157 = tensor.collapse_shape %215 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %216 = linalg.matmul ins(%collapsed_157, %transposed_156 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_158 = tensor.expand_shape %216 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_159 = tensor.reshape %expanded_158(%from_elements) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
    %transposed_160 = linalg.transpose ins(%reshape_159 : tensor<1x?x8x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_161 = linalg.transpose ins(%cst_30 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %217 = linalg.matmul ins(%collapsed_157, %transposed_161 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_162 = tensor.expand_shape %217 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_163 = tensor.reshape %expanded_162(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_164 = linalg.transpose ins(%reshape_163 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_165 = linalg.transpose ins(%cst_29 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %218 = linalg.matmul ins(%collapsed_157, %transposed_165 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_166 = tensor.expand_shape %218 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_167 = tensor.reshape %expanded_166(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_168 = linalg.transpose ins(%reshape_167 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %61, "mismatched size for broadcast"
    %219 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_160, %expanded_73 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %extracted_slice_169 = tensor.extract_slice %transposed_160[0, 0, 0, 0] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %extracted_slice_170 = tensor.extract_slice %transposed_160[0, 0, 0, 4] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %220 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_170 : tensor<1x8x?x4xf32>) outs(%63 : tensor<1x8x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x4xf32>
    %concat_171 = tensor.concat dim(3) %220, %extracted_slice_169 : (tensor<1x8x?x4xf32>, tensor<1x8x?x4xf32>) -> tensor<1x8x?x8xf32>
    %dim_172 = tensor.dim %220, %c2 : tensor<1x8x?x4xf32>
    %221 = arith.cmpi eq, %dim_172, %dim_61 : index
    cf.assert %221, "mismatched size for broadcast"
    %222 = tensor.empty(%dim_172) : tensor<1x8x?x8xf32>
    %223 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_171, %expanded_74 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%222 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %224 = arith.cmpi eq, %49, %dim_172 : index
    cf.assert %224, "mismatched size for broadcast"
    %225 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%219, %223 : tensor<1x8x?x8xf32>, tensor<1x8x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    cf.assert %70, "mismatched size for broadcast"
    %226 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_164, %expanded_73 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %extracted_slice_173 = tensor.extract_slice %transposed_164[0, 0, 0, 0] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %extracted_slice_174 = tensor.extract_slice %transposed_164[0, 0, 0, 4] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %227 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_174 : tensor<1x4x?x4xf32>) outs(%72 : tensor<1x4x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x4xf32>
    %concat_175 = tensor.concat dim(3) %227, %extracted_slice_173 : (tensor<1x4x?x4xf32>, tensor<1x4x?x4xf32>) -> tensor<1x4x?x8xf32>
    %dim_176 = tensor.dim %227, %c2 : tensor<1x4x?x4xf32>
    %228 = arith.cmpi eq, %dim_176, %dim_61 : index
    cf.assert %228, "mismatched size for broadcast"
    %229 = tensor.empty(%dim_176) : tensor<1x4x?x8xf32>
    %230 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_175, %expanded_74 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%229 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %231 = arith.cmpi eq, %58, %dim_176 : index
    cf.assert %231, "mismatched size for broadcast"
    %232 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%226, %230 : tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %expanded_177 = tensor.expand_shape %232 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %233 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_177[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_178 = tensor.collapse_shape %233 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %expanded_179 = tensor.expand_shape %transposed_168 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %234 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_179[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_180 = tensor.collapse_shape %234 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_181 = linalg.transpose ins(%collapsed_178 : tensor<1x8x?x8xf32>) outs(%82 : tensor<1x8x8x?xf32>) permutation = [0, 1, 3, 2] 
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %235 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %49, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %225[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_182 = tensor.collapse_shape %235 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %236 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%82 : tensor<1x8x8x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %transposed_181[%c0, %397, %398, %401] : tensor<1x8x8x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x8x?xf32>
    %collapsed_183 = tensor.collapse_shape %236 [[0, 1], [2], [3]] : tensor<1x8x8x?xf32> into tensor<8x8x?xf32>
    %237 = linalg.batch_matmul ins(%collapsed_182, %collapsed_183 : tensor<8x?x8xf32>, tensor<8x8x?xf32>) outs(%87 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_184 = tensor.reshape %237(%from_elements_89) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
    %238 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%reshape_184 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_47 : f64 to f32
      %398 = arith.mulf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %101, "mismatched size for broadcast"
    cf.assert %101, "mismatched size for broadcast"
    %239 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%238, %20 : tensor<1x8x?x?xf32>, tensor<1x1x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %240:2 = linalg.generic {indexing_maps = [#map6, #map14, #map14], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%239 : tensor<1x8x?x?xf32>) outs(%106, %104 : tensor<1x8x?xf32>, tensor<1x8x?xi64>) {
    ^bb0(%in: f32, %out: f32, %out_297: i64):
      %397 = linalg.index 3 : index
      %398 = arith.index_cast %397 : index to i64
      %399 = arith.maximumf %in, %out : f32
      %400 = arith.cmpf ogt, %in, %out : f32
      %401 = arith.select %400, %398, %out_297 : i64
      linalg.yield %399, %401 : f32, i64
    } -> (tensor<1x8x?xf32>, tensor<1x8x?xi64>)
    %expanded_185 = tensor.expand_shape %240#0 [[0], [1], [2, 3]] output_shape [1, 8, %98, 1] : tensor<1x8x?xf32> into tensor<1x8x?x1xf32>
    %241 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%239, %expanded_185 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.subf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %242 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%241 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.exp %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %243 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%242 : tensor<1x8x?x?xf32>) outs(%111 : tensor<1x8x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x1xf32>
    %244 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%242, %243 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.divf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %245 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%114 : tensor<1x8x?x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %98, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %402 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %244[%c0, %397, %401, %402] : tensor<1x8x?x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_186 = tensor.reshape %245(%from_elements_92) : (tensor<1x8x?x?xf32>, tensor<3xi64>) -> tensor<8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %246 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %collapsed_180[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_187 = tensor.collapse_shape %246 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %117, "mismatching contracting dimension"
    %247 = linalg.batch_matmul ins(%reshape_186, %collapsed_187 : tensor<8x?x?xf32>, tensor<8x?x8xf32>) outs(%119 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %expanded_188 = tensor.expand_shape %247 [[0, 1], [2], [3]] output_shape [1, 8, %98, 8] : tensor<8x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_189 = linalg.transpose ins(%expanded_188 : tensor<1x8x?x8xf32>) outs(%121 : tensor<1x?x8x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_190 = tensor.reshape %transposed_189(%from_elements_97) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
    %transposed_191 = linalg.transpose ins(%cst_28 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_192 = tensor.collapse_shape %reshape_190 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %248 = arith.index_cast %124 : i64 to index
    %249 = tensor.empty(%248) : tensor<?x64xf32>
    %250 = linalg.fill ins(%cst : f32) outs(%249 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %251 = linalg.matmul ins(%collapsed_192, %transposed_191 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%250 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_193 = tensor.expand_shape %251 [[0, 1], [2]] output_shape [1, %248, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %252 = arith.cmpi eq, %dim, %248 : index
    cf.assert %252, "mismatched size for broadcast"
    %253 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%208, %expanded_193 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %254 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%253 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %255 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%254 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %256 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%255 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %257 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%256 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %258 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%257 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %259 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%253, %258 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %260 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_27, %259 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_194 = linalg.transpose ins(%cst_26 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %collapsed_195 = tensor.collapse_shape %260 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %261 = linalg.matmul ins(%collapsed_195, %transposed_194 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_196 = tensor.expand_shape %261 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %262 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_196 : tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      %398 = math.exp %397 : f32
      %399 = arith.addf %398, %cst_1 : f32
      %400 = arith.divf %cst_1, %399 : f32
      linalg.yield %400 : f32
    } -> tensor<1x?x172xf32>
    %263 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_196, %262 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_197 = linalg.transpose ins(%cst_25 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %264 = linalg.matmul ins(%collapsed_195, %transposed_197 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_198 = tensor.expand_shape %264 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %265 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%263, %expanded_198 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_199 = linalg.transpose ins(%cst_24 : tensor<64x172xf32>) outs(%147 : tensor<172x64xf32>) permutation = [1, 0] 
    %collapsed_200 = tensor.collapse_shape %265 [[0, 1], [2]] : tensor<1x?x172xf32> into tensor<?x172xf32>
    %266 = linalg.matmul ins(%collapsed_200, %transposed_199 : tensor<?x172xf32>, tensor<172x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_201 = tensor.expand_shape %266 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %267 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%253, %expanded_201 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %268 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%267 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %269 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%268 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %270 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%269 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %271 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%270 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %272 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%271 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %273 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%267, %272 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %274 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_23, %273 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_202 = linalg.transpose ins(%cst_22 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_203 = tensor.collapse_shape %274 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %275 = linalg.matmul ins(%collapsed_203, %transposed_202 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_204 = tensor.expand_shape %275 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_205 = tensor.reshape %expanded_204(%from_elements) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
    %transposed_206 = linalg.transpose ins(%reshape_205 : tensor<1x?x8x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_207 = linalg.transpose ins(%cst_21 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %276 = linalg.matmul ins(%collapsed_203, %transposed_207 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_208 = tensor.expand_shape %276 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_209 = tensor.reshape %expanded_208(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_210 = linalg.transpose ins(%reshape_209 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_211 = linalg.transpose ins(%cst_20 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %277 = linalg.matmul ins(%collapsed_203, %transposed_211 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_212 = tensor.expand_shape %277 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_213 = tensor.reshape %expanded_212(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_214 = linalg.transpose ins(%reshape_213 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %61, "mismatched size for broadcast"
    %278 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_206, %expanded_73 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %extracted_slice_215 = tensor.extract_slice %transposed_206[0, 0, 0, 0] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %extracted_slice_216 = tensor.extract_slice %transposed_206[0, 0, 0, 4] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %279 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_216 : tensor<1x8x?x4xf32>) outs(%63 : tensor<1x8x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x4xf32>
    %concat_217 = tensor.concat dim(3) %279, %extracted_slice_215 : (tensor<1x8x?x4xf32>, tensor<1x8x?x4xf32>) -> tensor<1x8x?x8xf32>
    %dim_218 = tensor.dim %279, %c2 : tensor<1x8x?x4xf32>
    %280 = arith.cmpi eq, %dim_218, %dim_61 : index
    cf.assert %280, "mismatched size for broadcast"
    %281 = tensor.empty(%dim_218) : tensor<1x8x?x8xf32>
    %282 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_217, %expanded_74 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%281 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %283 = arith.cmpi eq, %49, %dim_218 : index
    cf.assert %283, "mismatched size for broadcast"
    %284 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%278, %282 : tensor<1x8x?x8xf32>, tensor<1x8x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    cf.assert %70, "mismatched size for broadcast"
    %285 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_210, %expanded_73 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %extracted_slice_219 = tensor.extract_slice %transposed_210[0, 0, 0, 0] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %extracted_slice_220 = tensor.extract_slice %transposed_210[0, 0, 0, 4] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %286 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_220 : tensor<1x4x?x4xf32>) outs(%72 : tensor<1x4x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x4xf32>
    %concat_221 = tensor.concat dim(3) %286, %extracted_slice_219 : (tensor<1x4x?x4xf32>, tensor<1x4x?x4xf32>) -> tensor<1x4x?x8xf32>
    %dim_222 = tensor.dim %286, %c2 : tensor<1x4x?x4xf32>
    %287 = arith.cmpi eq, %dim_222, %dim_61 : index
    cf.assert %287, "mismatched size for broadcast"
    %288 = tensor.empty(%dim_222) : tensor<1x4x?x8xf32>
    %289 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_221, %expanded_74 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%288 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %290 = arith.cmpi eq, %58, %dim_222 : index
    cf.assert %290, "mismatched size for broadcast"
    %291 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%285, %289 : tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %expanded_223 = tensor.expand_shape %291 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %292 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_223[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_224 = tensor.collapse_shape %292 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %expanded_225 = tensor.expand_shape %transposed_214 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %293 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_225[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_226 = tensor.collapse_shape %293 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_227 = linalg.transpose ins(%collapsed_224 : tensor<1x8x?x8xf32>) outs(%82 : tensor<1x8x8x?xf32>) permutation = [0, 1, 3, 2] 
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %294 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %49, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %284[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_228 = tensor.collapse_shape %294 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %295 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%82 : tensor<1x8x8x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %transposed_227[%c0, %397, %398, %401] : tensor<1x8x8x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x8x?xf32>
    %collapsed_229 = tensor.collapse_shape %295 [[0, 1], [2], [3]] : tensor<1x8x8x?xf32> into tensor<8x8x?xf32>
    %296 = linalg.batch_matmul ins(%collapsed_228, %collapsed_229 : tensor<8x?x8xf32>, tensor<8x8x?xf32>) outs(%87 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_230 = tensor.reshape %296(%from_elements_89) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
    %297 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%reshape_230 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_47 : f64 to f32
      %398 = arith.mulf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %101, "mismatched size for broadcast"
    cf.assert %101, "mismatched size for broadcast"
    %298 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%297, %20 : tensor<1x8x?x?xf32>, tensor<1x1x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %299:2 = linalg.generic {indexing_maps = [#map6, #map14, #map14], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%298 : tensor<1x8x?x?xf32>) outs(%106, %104 : tensor<1x8x?xf32>, tensor<1x8x?xi64>) {
    ^bb0(%in: f32, %out: f32, %out_297: i64):
      %397 = linalg.index 3 : index
      %398 = arith.index_cast %397 : index to i64
      %399 = arith.maximumf %in, %out : f32
      %400 = arith.cmpf ogt, %in, %out : f32
      %401 = arith.select %400, %398, %out_297 : i64
      linalg.yield %399, %401 : f32, i64
    } -> (tensor<1x8x?xf32>, tensor<1x8x?xi64>)
    %expanded_231 = tensor.expand_shape %299#0 [[0], [1], [2, 3]] output_shape [1, 8, %98, 1] : tensor<1x8x?xf32> into tensor<1x8x?x1xf32>
    %300 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%298, %expanded_231 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.subf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %301 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%300 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.exp %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %302 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%301 : tensor<1x8x?x?xf32>) outs(%111 : tensor<1x8x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x1xf32>
    %303 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%301, %302 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.divf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %304 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%114 : tensor<1x8x?x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %98, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %402 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %303[%c0, %397, %401, %402] : tensor<1x8x?x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_232 = tensor.reshape %304(%from_elements_92) : (tensor<1x8x?x?xf32>, tensor<3xi64>) -> tensor<8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %305 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %collapsed_226[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_233 = tensor.collapse_shape %305 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %117, "mismatching contracting dimension"
    %306 = linalg.batch_matmul ins(%reshape_232, %collapsed_233 : tensor<8x?x?xf32>, tensor<8x?x8xf32>) outs(%119 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %expanded_234 = tensor.expand_shape %306 [[0, 1], [2], [3]] output_shape [1, 8, %98, 8] : tensor<8x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_235 = linalg.transpose ins(%expanded_234 : tensor<1x8x?x8xf32>) outs(%121 : tensor<1x?x8x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_236 = tensor.reshape %transposed_235(%from_elements_97) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
    %transposed_237 = linalg.transpose ins(%cst_19 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_238 = tensor.collapse_shape %reshape_236 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %307 = arith.index_cast %124 : i64 to index
    %308 = tensor.empty(%307) : tensor<?x64xf32>
    %309 = linalg.fill ins(%cst : f32) outs(%308 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %310 = linalg.matmul ins(%collapsed_238, %transposed_237 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%309 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_239 = tensor.expand_shape %310 [[0, 1], [2]] output_shape [1, %307, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %311 = arith.cmpi eq, %dim, %307 : index
    cf.assert %311, "mismatched size for broadcast"
    %312 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%267, %expanded_239 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %313 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%312 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %314 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%313 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %315 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%314 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %316 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%315 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %317 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%316 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %318 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%312, %317 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %319 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_18, %318 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_240 = linalg.transpose ins(%cst_17 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %collapsed_241 = tensor.collapse_shape %319 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %320 = linalg.matmul ins(%collapsed_241, %transposed_240 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_242 = tensor.expand_shape %320 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %321 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_242 : tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      %398 = math.exp %397 : f32
      %399 = arith.addf %398, %cst_1 : f32
      %400 = arith.divf %cst_1, %399 : f32
      linalg.yield %400 : f32
    } -> tensor<1x?x172xf32>
    %322 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_242, %321 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_243 = linalg.transpose ins(%cst_16 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %323 = linalg.matmul ins(%collapsed_241, %transposed_243 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_244 = tensor.expand_shape %323 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %324 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%322, %expanded_244 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_245 = linalg.transpose ins(%cst_15 : tensor<64x172xf32>) outs(%147 : tensor<172x64xf32>) permutation = [1, 0] 
    %collapsed_246 = tensor.collapse_shape %324 [[0, 1], [2]] : tensor<1x?x172xf32> into tensor<?x172xf32>
    %325 = linalg.matmul ins(%collapsed_246, %transposed_245 : tensor<?x172xf32>, tensor<172x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_247 = tensor.expand_shape %325 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %326 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%312, %expanded_247 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %327 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%326 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %328 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%327 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %329 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%328 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %330 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%329 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %331 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%330 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %332 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%326, %331 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %333 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_14, %332 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_248 = linalg.transpose ins(%cst_13 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_249 = tensor.collapse_shape %333 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %334 = linalg.matmul ins(%collapsed_249, %transposed_248 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_250 = tensor.expand_shape %334 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_251 = tensor.reshape %expanded_250(%from_elements) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
    %transposed_252 = linalg.transpose ins(%reshape_251 : tensor<1x?x8x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_253 = linalg.transpose ins(%cst_12 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %335 = linalg.matmul ins(%collapsed_249, %transposed_253 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_254 = tensor.expand_shape %335 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_255 = tensor.reshape %expanded_254(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_256 = linalg.transpose ins(%reshape_255 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_257 = linalg.transpose ins(%cst_11 : tensor<32x64xf32>) outs(%51 : tensor<64x32xf32>) permutation = [1, 0] 
    %336 = linalg.matmul ins(%collapsed_249, %transposed_257 : tensor<?x64xf32>, tensor<64x32xf32>) outs(%53 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %expanded_258 = tensor.expand_shape %336 [[0, 1], [2]] output_shape [1, %dim, 32] : tensor<?x32xf32> into tensor<1x?x32xf32>
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_259 = tensor.reshape %expanded_258(%from_elements_66) : (tensor<1x?x32xf32>, tensor<4xi64>) -> tensor<1x?x4x8xf32>
    %transposed_260 = linalg.transpose ins(%reshape_259 : tensor<1x?x4x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %61, "mismatched size for broadcast"
    %337 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_252, %expanded_73 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %extracted_slice_261 = tensor.extract_slice %transposed_252[0, 0, 0, 0] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %extracted_slice_262 = tensor.extract_slice %transposed_252[0, 0, 0, 4] [1, 8, %49, 4] [1, 1, 1, 1] : tensor<1x8x?x8xf32> to tensor<1x8x?x4xf32>
    %338 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_262 : tensor<1x8x?x4xf32>) outs(%63 : tensor<1x8x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x4xf32>
    %concat_263 = tensor.concat dim(3) %338, %extracted_slice_261 : (tensor<1x8x?x4xf32>, tensor<1x8x?x4xf32>) -> tensor<1x8x?x8xf32>
    %dim_264 = tensor.dim %338, %c2 : tensor<1x8x?x4xf32>
    %339 = arith.cmpi eq, %dim_264, %dim_61 : index
    cf.assert %339, "mismatched size for broadcast"
    %340 = tensor.empty(%dim_264) : tensor<1x8x?x8xf32>
    %341 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_263, %expanded_74 : tensor<1x8x?x8xf32>, tensor<1x1x?x8xf32>) outs(%340 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    %342 = arith.cmpi eq, %49, %dim_264 : index
    cf.assert %342, "mismatched size for broadcast"
    %343 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%337, %341 : tensor<1x8x?x8xf32>, tensor<1x8x?x8xf32>) outs(%50 : tensor<1x8x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x8xf32>
    cf.assert %70, "mismatched size for broadcast"
    %344 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_256, %expanded_73 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %extracted_slice_265 = tensor.extract_slice %transposed_256[0, 0, 0, 0] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %extracted_slice_266 = tensor.extract_slice %transposed_256[0, 0, 0, 4] [1, 4, %58, 4] [1, 1, 1, 1] : tensor<1x4x?x8xf32> to tensor<1x4x?x4xf32>
    %345 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_266 : tensor<1x4x?x4xf32>) outs(%72 : tensor<1x4x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x4xf32>
    %concat_267 = tensor.concat dim(3) %345, %extracted_slice_265 : (tensor<1x4x?x4xf32>, tensor<1x4x?x4xf32>) -> tensor<1x4x?x8xf32>
    %dim_268 = tensor.dim %345, %c2 : tensor<1x4x?x4xf32>
    %346 = arith.cmpi eq, %dim_268, %dim_61 : index
    cf.assert %346, "mismatched size for broadcast"
    %347 = tensor.empty(%dim_268) : tensor<1x4x?x8xf32>
    %348 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%concat_267, %expanded_74 : tensor<1x4x?x8xf32>, tensor<1x1x?x8xf32>) outs(%347 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %349 = arith.cmpi eq, %58, %dim_268 : index
    cf.assert %349, "mismatched size for broadcast"
    %350 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%344, %348 : tensor<1x4x?x8xf32>, tensor<1x4x?x8xf32>) outs(%59 : tensor<1x4x?x8xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x4x?x8xf32>
    %expanded_269 = tensor.expand_shape %350 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %351 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_269[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_270 = tensor.collapse_shape %351 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %expanded_271 = tensor.expand_shape %transposed_260 [[0], [1], [2, 3], [4]] output_shape [1, 4, 1, %58, 8] : tensor<1x4x?x8xf32> into tensor<1x4x1x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %352 = linalg.generic {indexing_maps = [#map13], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} outs(%79 : tensor<1x4x2x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 3 : index
      %399 = linalg.index 4 : index
      %400 = arith.cmpi eq, %58, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %expanded_271[%c0, %397, %c0, %401, %399] : tensor<1x4x1x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x4x2x?x8xf32>
    %collapsed_272 = tensor.collapse_shape %352 [[0], [1, 2], [3], [4]] : tensor<1x4x2x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_273 = linalg.transpose ins(%collapsed_270 : tensor<1x8x?x8xf32>) outs(%82 : tensor<1x8x8x?xf32>) permutation = [0, 1, 3, 2] 
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %353 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %49, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %343[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_274 = tensor.collapse_shape %353 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %354 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%82 : tensor<1x8x8x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %transposed_273[%c0, %397, %398, %401] : tensor<1x8x8x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x8x?xf32>
    %collapsed_275 = tensor.collapse_shape %354 [[0, 1], [2], [3]] : tensor<1x8x8x?xf32> into tensor<8x8x?xf32>
    %355 = linalg.batch_matmul ins(%collapsed_274, %collapsed_275 : tensor<8x?x8xf32>, tensor<8x8x?xf32>) outs(%87 : tensor<8x?x?xf32>) -> tensor<8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_276 = tensor.reshape %355(%from_elements_89) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
    %356 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%reshape_276 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_47 : f64 to f32
      %398 = arith.mulf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %101, "mismatched size for broadcast"
    cf.assert %101, "mismatched size for broadcast"
    %357 = linalg.generic {indexing_maps = [#map6, #map12, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%356, %20 : tensor<1x8x?x?xf32>, tensor<1x1x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %358:2 = linalg.generic {indexing_maps = [#map6, #map14, #map14], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%357 : tensor<1x8x?x?xf32>) outs(%106, %104 : tensor<1x8x?xf32>, tensor<1x8x?xi64>) {
    ^bb0(%in: f32, %out: f32, %out_297: i64):
      %397 = linalg.index 3 : index
      %398 = arith.index_cast %397 : index to i64
      %399 = arith.maximumf %in, %out : f32
      %400 = arith.cmpf ogt, %in, %out : f32
      %401 = arith.select %400, %398, %out_297 : i64
      linalg.yield %399, %401 : f32, i64
    } -> (tensor<1x8x?xf32>, tensor<1x8x?xi64>)
    %expanded_277 = tensor.expand_shape %358#0 [[0], [1], [2, 3]] output_shape [1, 8, %98, 1] : tensor<1x8x?xf32> into tensor<1x8x?x1xf32>
    %359 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%357, %expanded_277 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.subf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %360 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%359 : tensor<1x8x?x?xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.exp %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    %361 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%360 : tensor<1x8x?x?xf32>) outs(%111 : tensor<1x8x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x1xf32>
    %362 = linalg.generic {indexing_maps = [#map6, #map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%360, %361 : tensor<1x8x?x?xf32>, tensor<1x8x?x1xf32>) outs(%99 : tensor<1x8x?x?xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.divf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %363 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%114 : tensor<1x8x?x?xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %98, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %402 = arith.select %400, %c0, %399 : index
      %extracted = tensor.extract %362[%c0, %397, %401, %402] : tensor<1x8x?x?xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x?xf32>
    cf.assert %94, "must have at most one inferred (negative) dimension"
    %reshape_278 = tensor.reshape %363(%from_elements_92) : (tensor<1x8x?x?xf32>, tensor<3xi64>) -> tensor<8x?x?xf32>
    cf.assert %16, "unimplemented: dynamic negative broadcast sizes"
    %364 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%83 : tensor<1x8x?x8xf32>) {
    ^bb0(%out: f32):
      %397 = linalg.index 1 : index
      %398 = linalg.index 2 : index
      %399 = linalg.index 3 : index
      %400 = arith.cmpi eq, %dim, %c1 : index
      %401 = arith.select %400, %c0, %398 : index
      %extracted = tensor.extract %collapsed_272[%c0, %397, %401, %399] : tensor<1x8x?x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<1x8x?x8xf32>
    %collapsed_279 = tensor.collapse_shape %364 [[0, 1], [2], [3]] : tensor<1x8x?x8xf32> into tensor<8x?x8xf32>
    cf.assert %117, "mismatching contracting dimension"
    %365 = linalg.batch_matmul ins(%reshape_278, %collapsed_279 : tensor<8x?x?xf32>, tensor<8x?x8xf32>) outs(%119 : tensor<8x?x8xf32>) -> tensor<8x?x8xf32>
    %expanded_280 = tensor.expand_shape %365 [[0, 1], [2], [3]] output_shape [1, 8, %98, 8] : tensor<8x?x8xf32> into tensor<1x8x?x8xf32>
    %transposed_281 = linalg.transpose ins(%expanded_280 : tensor<1x8x?x8xf32>) outs(%121 : tensor<1x?x8x8xf32>) permutation = [0, 2, 1, 3] 
    cf.assert %45, "must have at most one inferred (negative) dimension"
    %reshape_282 = tensor.reshape %transposed_281(%from_elements_97) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
    %transposed_283 = linalg.transpose ins(%cst_10 : tensor<64x64xf32>) outs(%36 : tensor<64x64xf32>) permutation = [1, 0] 
    %collapsed_284 = tensor.collapse_shape %reshape_282 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %366 = arith.index_cast %124 : i64 to index
    %367 = tensor.empty(%366) : tensor<?x64xf32>
    %368 = linalg.fill ins(%cst : f32) outs(%367 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %369 = linalg.matmul ins(%collapsed_284, %transposed_283 : tensor<?x64xf32>, tensor<64x64xf32>) outs(%368 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_285 = tensor.expand_shape %369 [[0, 1], [2]] output_shape [1, %366, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %370 = arith.cmpi eq, %dim, %366 : index
    cf.assert %370, "mismatched size for broadcast"
    %371 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%326, %expanded_285 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %372 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%371 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %373 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%372 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %374 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%373 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %375 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%374 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %376 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%375 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %377 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%371, %376 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %378 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_9, %377 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %transposed_286 = linalg.transpose ins(%cst_8 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %collapsed_287 = tensor.collapse_shape %378 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %379 = linalg.matmul ins(%collapsed_287, %transposed_286 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_288 = tensor.expand_shape %379 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %380 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_288 : tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.negf %in : f32
      %398 = math.exp %397 : f32
      %399 = arith.addf %398, %cst_1 : f32
      %400 = arith.divf %cst_1, %399 : f32
      linalg.yield %400 : f32
    } -> tensor<1x?x172xf32>
    %381 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_288, %380 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_289 = linalg.transpose ins(%cst_7 : tensor<172x64xf32>) outs(%138 : tensor<64x172xf32>) permutation = [1, 0] 
    %382 = linalg.matmul ins(%collapsed_287, %transposed_289 : tensor<?x64xf32>, tensor<64x172xf32>) outs(%140 : tensor<?x172xf32>) -> tensor<?x172xf32>
    %expanded_290 = tensor.expand_shape %382 [[0, 1], [2]] output_shape [1, %dim, 172] : tensor<?x172xf32> into tensor<1x?x172xf32>
    %383 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%381, %expanded_290 : tensor<1x?x172xf32>, tensor<1x?x172xf32>) outs(%142 : tensor<1x?x172xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x172xf32>
    %transposed_291 = linalg.transpose ins(%cst_6 : tensor<64x172xf32>) outs(%147 : tensor<172x64xf32>) permutation = [1, 0] 
    %collapsed_292 = tensor.collapse_shape %383 [[0, 1], [2]] : tensor<1x?x172xf32> into tensor<?x172xf32>
    %384 = linalg.matmul ins(%collapsed_292, %transposed_291 : tensor<?x172xf32>, tensor<172x64xf32>) outs(%38 : tensor<?x64xf32>) -> tensor<?x64xf32>
    %expanded_293 = tensor.expand_shape %384 [[0, 1], [2]] output_shape [1, %dim, 64] : tensor<?x64xf32> into tensor<1x?x64xf32>
    %385 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%371, %expanded_293 : tensor<1x?x64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.addf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %386 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%385 : tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %387 = linalg.generic {indexing_maps = [#map1, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%386 : tensor<1x?x64xf32>) outs(%29 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.addf %in, %out : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %388 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%387 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.divf %in, %cst_55 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %389 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%388 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = arith.truncf %cst_52 : f64 to f32
      %398 = arith.addf %in, %397 : f32
      linalg.yield %398 : f32
    } -> tensor<1x?x1xf32>
    %390 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%389 : tensor<1x?x1xf32>) outs(%21 : tensor<1x?x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %397 = math.rsqrt %in : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x1xf32>
    %391 = linalg.generic {indexing_maps = [#map1, #map10, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%385, %390 : tensor<1x?x64xf32>, tensor<1x?x1xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %392 = linalg.generic {indexing_maps = [#map11, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_5, %391 : tensor<64xf32>, tensor<1x?x64xf32>) outs(%1 : tensor<1x?x64xf32>) {
    ^bb0(%in: f32, %in_297: f32, %out: f32):
      %397 = arith.mulf %in, %in_297 : f32
      linalg.yield %397 : f32
    } -> tensor<1x?x64xf32>
    %393 = tensor.empty() : tensor<64x512xf32>
    %transposed_294 = linalg.transpose ins(%cst_54 : tensor<512x64xf32>) outs(%393 : tensor<64x512xf32>) permutation = [1, 0] 
    %collapsed_295 = tensor.collapse_shape %392 [[0, 1], [2]] : tensor<1x?x64xf32> into tensor<?x64xf32>
    %394 = tensor.empty(%dim) : tensor<?x512xf32>
    %395 = linalg.fill ins(%cst : f32) outs(%394 : tensor<?x512xf32>) -> tensor<?x512xf32>
    %396 = linalg.matmul ins(%collapsed_295, %transposed_294 : tensor<?x64xf32>, tensor<64x512xf32>) outs(%395 : tensor<?x512xf32>) -> tensor<?x512xf32>
    %expanded_296 = tensor.expand_shape %396 [[0, 1], [2]] output_shape [1, %dim, 512] : tensor<?x512xf32> into tensor<1x?x512xf32>
    return %expanded_296 : tensor<1x?x512xf32>
  }
}


{-#
  dialect_resources: {
    builtin: {
      torch_tensor_4_torch.float32: "0x040000000000803FCDCCCC3D0AD7233C6F12833A"
    }
  }
#-}
