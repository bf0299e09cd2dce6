import Flow
import Models
import Tensors

/// The network evaluations of a training step, counted in its graph.
public struct TrainingCost: Hashable, Sendable {
  /// Evaluated samples per step, on average over the steps.
  public let forward: Double
  /// Evaluated samples per step whose gradient is computed.
  public let backward: Double

  /// Network evaluations of one sample per step, on average; one with its gradient counts as three.
  public var evaluations: Double { forward + 2 * backward }

  /// Counts the evaluations of a recipe's step.
  public init(_ recipe: TrainingRecipe) throws {
    guard let objective = try recipe.objective.settings.objective(batch: recipe.batch) else {
      (forward, backward) = (Double(recipe.batch), Double(recipe.batch))
      return
    }
    let inputs = recipe.model.inputs().map { spec in
      (spec.name, Tensor.placeholder(spec.type(batch: recipe.batch)))
    }
    let data = inputs[0].1
    let condition = Named(inputs.dropFirst())
    // Each network is replaced by a multiplication, because only its calls count.
    let live = CountedModel()
    let target = CountedModel()
    let (critics, copies) = (
      objective.auxiliaries.filter { $0.critic != nil },
      objective.auxiliaries.filter { $0.critic == nil }
    )
    let further = Dictionary(uniqueKeysWithValues: copies.map { ($0.name, CountedModel()) })
    let loss = objective(
      Networks(
        live: live, target: target, auxiliaries: further,
        critics: Dictionary(uniqueKeysWithValues: critics.map { ($0.name, UncountedCritic()) })),
      Batch(data: data, condition: condition, unconditional: condition), key: Key(seed: 0))

    // A step that updates only some networks computes only what their losses need.
    var totals = (forward: 0.0, backward: 0.0)
    func add(_ scalar: Tensor, _ trained: CountedModel?, share: Double) {
      for network in [live, target] + further.values {
        for call in network.calls where scalar.depends(on: call.result) {
          totals.forward += Double(call.rows) * share
          if network === trained, scalar.hasGradient(for: call.result) {
            totals.backward += Double(call.rows) * share
          }
        }
      }
    }
    let share = 1 / Double(objective.interval)
    if let twin = objective.twinLoss.flatMap({ loss.auxiliaries[$0] }) {
      add(loss.total + twin, live, share: share)
      add(twin, live, share: 1 - share)
    } else {
      add(loss.total, live, share: share)
    }
    for network in objective.auxiliaries {
      guard let interval = network.interval, let own = loss.auxiliaries[network.name] else {
        continue
      }
      add(own, further[network.name], share: 1 / Double(interval))
    }
    // A pushforward is an evaluation and one of its tangents, of which the calls alone tell nothing.
    totals.forward += 2 * Double(objective.pushforwardRows)
    (forward, backward) = totals
  }
}

/// A stand-in for a network that records its calls.
private final class CountedModel: FeatureModel {
  private(set) var calls: [(rows: Int, result: Tensor)] = []
  private let weight = Tensor.placeholder(TensorType([], .float32))

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let result = x * weight.cast(to: x.dtype)
    calls.append((x.shape[0], result))
    return result
  }

  /// Features of all layers cost as much as an evaluation.
  func features(
    after layers: [Int], _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    let result = self(x, time: time, target: target, condition: condition)
    return layers.map { _ in result.reshape([x.shape[0], 1, -1]) }
  }
}

/// A critic is small beside the networks.
private struct UncountedCritic: Critic {
  func callAsFunction(_ features: [Tensor]) -> Tensor { .concatenate(features, axis: 1) }
}
