import Flow
import Foundation
import Layers
import Models
import Recipe
import Tensors

/// The losses of any objective, with their gradients, against the published code of its method.
extension GoldenCase {
  /// Computes the losses and gradients of the objective's networks for the case's draws, and compares every
  /// expected output.
  func checkObjective(on client: Client) throws -> [Comparison] {
    let config = try objectiveConfig()
    let shape = try batchShape(samples: "x", condition: "c")
    guard let objective = try naming({ try config.settings.objective(batch: shape.rows) }) else {
      throw fail("its objective, \(config.kind), has no velocity")
    }
    try checkInputs(of: objective, shape)
    let program = try HostProgram(inputs, on: client) { given in
      let batch = Batch(
        data: given["x"]!, condition: Named([("c", given["c"]!)]),
        unconditional: Named([("c", given["e"]!)]))
      let draws = given.group("draw")
      try check(draws, like: objective.draw(batch, key: Key(seed: 0)).draws)
      return results(of: objective, DrawnBatch(batch, draws: draws), given)
    }
    let computed = try program(inputs)
    return try expected.pairs.map { name, wanted in
      guard let actual = computed[name] else {
        throw fail("its expected.safetensors has \(name), which the objective does not compute")
      }
      // Targets and gradients amplify rounding.
      let amplifies = name.contains("grad.") || name.hasPrefix("details.")
      return Comparison(
        name, actual, wanted, absolute: 10 * (self.config.noiseFloors?[name] ?? 0),
        relative: amplifies ? 2e-4 : 1e-5)
    }
  }

  /// The objective, as recipes write it, whose reader names unknown keys too.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is missing or invalid.
  private func objectiveConfig() throws -> ObjectiveConfig {
    try naming {
      let data = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
      let config = try JSONSerialization.jsonObject(with: data) as? [String: Any]
      guard let objective = config?["objective"] as? [String: Any] else {
        throw fail("its config.json has no objective")
      }
      let json = try JSONSerialization.data(withJSONObject: objective)
      return try RecipeDecoder.decode(
        yaml: String(decoding: json, as: UTF8.self), file: "its objective")
    }
  }

  /// The loss and the gradients of the trained network, those of each auxiliary network that is trained
  /// under its name, metrics and details.
  private func results(
    of objective: any Objective, _ drawn: DrawnBatch, _ given: Named<Tensor>
  ) -> Named<Tensor> {
    let weights = given.group("model")
    var (networks, critics): ([String: any VelocityModel], [String: any Critic]) = ([:], [:])
    for auxiliary in objective.auxiliaries {
      let bound = given.group(auxiliary.name)
      if let heads = auxiliary.critic {
        critics[auxiliary.name] = Scope.bind(bound) {
          FeatureCritic($0, heads, width: featureWidth)
        }
      } else {
        networks[auxiliary.name] = MLP(bound)
      }
    }
    let live = MLP(weights)
    let loss = objective(
      Networks(
        live: live, target: objective.target == .live ? live : MLP(given.group("target")),
        auxiliaries: networks, critics: critics), drawn)
    var results = Named([("loss", loss.total)])
    results.merge(loss.total.gradients(for: weights).prefixed("grad"))
    for (name, total) in loss.auxiliaries.pairs {
      let gradients = total.gradients(for: given.group(name))
      results.merge(Named([("loss", total)]).merging(gradients.prefixed("grad")).prefixed(name))
    }
    return results.merging(loss.metrics.prefixed("metrics"))
      .merging(loss.details.prefixed("details"))
  }

  /// Checks the weights of the objective's networks and the empty condition.
  ///
  /// - Throws: `GoldenError.wrongCase` for inputs that are missing or of another shape.
  private func checkInputs(of objective: any Objective, _ batch: BatchShape) throws {
    try input("c", shape: [batch.rows, batch.condition])
    try input("e", shape: [batch.rows, batch.condition])
    try checkNetwork("model", batch, times: 2)
    if objective.target != .live { try checkNetwork("target", batch, times: 2) }
    for auxiliary in objective.auxiliaries {
      guard let heads = auxiliary.critic else {
        try checkNetwork(auxiliary.name, batch, times: 2)
        continue
      }
      guard heads.layers.allSatisfy((0..<2).contains) else {
        throw fail("its critic sees the layers \(heads.layers), and the network has 0 and 1")
      }
      let widths = try (1...2).map { try input("model.fc\($0).bias").rowCount }
      guard widths[0] == widths[1] else {
        throw fail("its hidden layers are of \(widths), and the critic needs equal ones")
      }
      let specs = Scope.declare { FeatureCritic($0, heads, width: widths[0]) }
      for (name, spec) in specs.pairs {
        try input("\(auxiliary.name).\(name)", shape: spec.shape.sizes)
      }
    }
  }

  /// The width of the hidden layers, which a critic sees.
  private var featureWidth: Int { inputs["model.fc1.bias"]!.rowCount }

  /// Checks the draws of a case.
  ///
  /// - Parameter drawn: what the objective would draw.
  /// - Throws: `GoldenError.wrongCase` for draws that are missing, of another shape, or of another name.
  private func check(_ draws: Named<Tensor>, like drawn: Named<Tensor>) throws {
    for (name, draw) in drawn.pairs {
      try input("draw.\(name)", shape: draw.shape.sizes)
    }
    if let other = draws.names.first(where: { drawn[$0] == nil }) {
      throw fail("its input draw.\(other) is not a draw of its objective")
    }
  }
}
