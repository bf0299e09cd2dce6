import Tensors
import TestSupport
import Testing

@Suite struct PreparedFunctionTests {
  private func function(rows: Int) -> PreparedFunction {
    let weights = Named([
      ("kernel", TensorType([4, 3, 2], .bfloat16)), ("bias", TensorType([4], .float32)),
      ("scale", TensorType([3], .float32)), ("unused", TensorType([5], .float32)),
    ])
    return PreparedFunction(
      weights: weights, inputs: Named([("x", TensorType([rows, 3], .float32))])
    ) { weights, inputs in
      let matrix = weights["kernel"]!.slice(2, 1..<2).reshape([4, 3]).cast(to: .float32)
      let product = (inputs["x"]! * weights["scale"]!).matmul(matrix.transpose([1, 0]))
      return Named([("y", product + weights["bias"]!), ("bias", weights["bias"]!.reshape([2, 2]))])
    }
  }

  @Test("Moves and conversions come first; products and what inputs multiply, second")
  func division() {
    let types = function(rows: 7).preparedTypes
    #expect(
      Set(types.values) == [
        TensorType([3, 4], .float32), TensorType([4], .float32), TensorType([3], .float32),
        TensorType([2, 2], .float32),
      ])
    #expect(types.count == 4)
    // A broadcast of a weight to an input's shape is none of it.
    #expect(function(rows: 1).preparedTypes == types)
  }

  @Test func bothStepsAreTheFunction() throws {
    let given = Named<Numbers>([
      ("kernel", .random([4, 3, 2], seed: 1, .bfloat16)), ("bias", .random([4], seed: 2, .float32)),
      ("scale", .random([3], seed: 3, .float32)), ("unused", .random([5], seed: 4, .float32)),
      ("x", .random([7, 3], seed: 5, .float32)),
    ])
    let results = try evaluate(given) { arguments in
      let function = function(rows: 7)
      let results = function(function.prepare(arguments), arguments)
      let matrix = arguments["kernel"]!.cast(to: .float32).slice(2, 1..<2).reshape([4, 3])
      let expected =
        (arguments["x"]! * arguments["scale"]!).dot(matrix, contracting: ([1], [1]))
        + arguments["bias"]!
      return results.merging(Named([("expected", expected)]))
    }
    expectClose(results["y"]!, results["expected"]!, relative: 1e-5, absolute: 1e-6)
    expectClose(results["bias"]!.values, given["bias"]!.values)
  }
}
