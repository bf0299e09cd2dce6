import Layers
import Tensors
import TestSupport
import Testing

/// Checks that a network has the same values and gradients however its blocks are run.
///
/// - Parameters:
///   - given: the inputs, and under `weights` the weights.
///   - factor: the input by which the output is multiplied before it is summed up.
///   - run: the output from the weights and the inputs.
/// - Returns: the gradients for the weights.
func expectEqualExecutions(
  _ given: Named<Numbers>, times factor: String = "x", relative: Double = 1e-4,
  absolute: Double = 1e-4,
  _ run: (_ weights: Named<Tensor>, _ inputs: Named<Tensor>, StackExecution) -> Tensor
) throws -> Named<Numbers> {
  let results = try evaluate(given) { inputs in
    var all = Named<Tensor>()
    let weights = inputs.group("weights")
    for execution in StackExecution.allCases {
      let y = run(weights, inputs, execution)
      all["\(execution).value"] = y
      all.merge(
        (y * inputs[factor]!).sum().gradients(for: weights).prefixed("\(execution).gradients"))
    }
    return all
  }
  let expected = results.group("unrolled")
  let gradients = expected.group("gradients")
  #expect(gradients.count == given.group("weights").count)
  for execution in ["scanned", "recomputed"] {
    for (name, value) in results.group(execution).pairs {
      expectClose(
        value, expected[name]!, relative: relative, absolute: absolute, "\(execution).\(name)")
    }
  }
  return gradients
}
