import Flow
import Optimizers
import Tensors
import TestSupport
import Testing

extension Golden {
  /// The settings of a training case, under the published names.
  struct Method: Decodable, Sendable {
    let estimate_order: Int
    let enhanced_ratio: Double
    let ema_decay_rate: Double
    let loss_func_type: Distance?
    let enhanced_range: [Double]?
    let time_dist_ctrl: [Double]?
    let dist_match_cof: Double?
    let use_image_free: Bool?
    let using_twinflow: Bool?

    struct Distance: Decodable, Sendable {
      let type: String
      let alpha: Double?
      let c: Double?
    }
  }
}

/// The training steps of a golden case, one after the other.
struct GoldenStep {
  let golden: Golden
  private let function: NamedFunction
  private var state = Named<Numbers>()

  /// Compiles a case's step: the target network's average, the loss, and gradient descent.
  init(
    _ golden: Golden, averageRate rate: Double,
    _ loss: (Networks, Samples, Named<Tensor>) -> Loss
  ) throws {
    self.golden = golden
    let weights = golden.inputs.group("model")
    let initial = golden.inputs.group("ema")
    state.merge(weights.prefixed("weights"))
    state.merge((initial.isEmpty ? weights : initial).prefixed("average"))
    state["decay"] = Numbers([0], [], .float32)

    let sizes = golden.config.model
    function = try NamedFunction(state.merging(Self.batch(golden, 0))) { given in
      let weights = given.group("weights")
      var (average, decay) = (given.group("average"), given["decay"]!)
      if rate > 0, rate < 1 {
        average = average.averaged(with: weights, rate: decay)
        decay = decay + (1 - decay) * (rate - decay) * 0.5
      }
      let target = rate == 0 ? weights : average
      let loss = loss(
        Networks(
          live: Perceptron(weights, sizes), target: Perceptron(target.stopGradient(), sizes)),
        Samples(
          data: given["x"]!, condition: Named([("c", given["c0"]!)]),
          unconditional: Named([("c", given["e0"]!)])),
        given.group("draw"))
      let gradients = loss.total.gradients(for: weights)
      let next = SGD().update(
        weights, gradients, Named(), rate: .constant(0.1, .float32),
        step: .constant(0, .float32))
      var results = loss.details.prefixed("details")
      results["loss"] = loss.total
      results.merge(gradients.prefixed("gradients"))
      results.merge(next.weights.prefixed("weights"))
      results.merge(average.prefixed("average"))
      results["decay"] = decay
      return results
    }
  }

  /// Runs a step and keeps its weights and average for the next one.
  mutating func callAsFunction(_ step: Int) throws -> Named<Numbers> {
    let results = try function(state.merging(Self.batch(golden, step)))
    for name in state.names { state[name] = results[name] }
    return results
  }

  /// Expects gradients, average and new weights, the parts that all methods have.
  func expectUpdate(_ results: Named<Numbers>, _ step: Int, averaged: Bool) {
    golden.expect(results["loss"]!, "step\(step).loss")
    for name in golden.inputs.group("model").names {
      golden.expect(
        results["gradients.\(name)"]!, "step\(step).grad.\(name)", relative: 2e-4)
      golden.expect(results["weights.\(name)"]!, "step\(step).model_after.\(name)")
      if averaged { golden.expect(results["average.\(name)"]!, "step\(step).ema_after.\(name)") }
    }
  }

  /// The outputs of a step that a test leaves unchecked.
  func unchecked(_ step: Int, _ checked: [String]) -> [String] {
    let given = [
      "loss", "grad", "model_after", "ema_after", "ema_decay_used", "ema_decay_after", "mask",
      // What no loss depends on, or only through others that are checked.
      "c_used0", "refer_v", "predc_v", "dm.x_grad",
    ]
    return golden.expected.group("step\(step)").names.filter { name in
      !(checked + given).contains { name == $0 || name.hasPrefix($0 + ".fc") }
        && !name.hasPrefix("mask.")
    }
  }

  private static func batch(_ golden: Golden, _ step: Int) -> Named<Numbers> {
    let given = golden.inputs.group("step\(step)")
    let times: Set = ["t_beta", "tt_rand", "tmin_rand", "dm_t_beta", "t_rand", "dm_t_rand"]
    return given.map { name, value in
      times.contains(String(name.dropFirst("draw.".count))) ? value.flat : value
    }
  }
}

/// A compiled function of named arrays.
struct NamedFunction {
  private let function: HostFunction
  private let inputs: [String]
  private let outputs: [String]

  /// Compiles a function of arrays like these.
  init(_ like: Named<Numbers>, _ body: (Named<Tensor>) -> Named<Tensor>) throws {
    var names: [String] = []
    function = try HostFunction(like.values.map(\.type)) { tensors in
      let results = body(Named(zip(like.names, tensors)))
      names = results.names
      return results.values
    }
    inputs = like.names
    outputs = names
  }

  func callAsFunction(_ arguments: Named<Numbers>) throws -> Named<Numbers> {
    Named(zip(outputs, try function(inputs.map { arguments[$0]! })))
  }
}
