import Flow
import Layers
import Tensors

/// The training state of one network.
struct NetworkState<Leaf> {
  /// The trained weights.
  var trained: Named<Leaf>
  /// The optimizer's state for them; empty for a frozen network.
  var moments: Named<Leaf>
}

/// The state of a training run between steps.
///
/// `Leaf` is a symbolic tensor while a step is traced, a sharded array at run time, and a type with
/// its sharding in plans. `flattened` gives all leaves names, for programs and checkpoints.
struct TrainState<Leaf> {
  /// The number of steps made, s32.
  var step: Leaf
  /// The generating network.
  var live: NetworkState<Leaf>
  /// Its frozen weights, in the element types that they are stored in.
  var frozen: Named<Leaf>
  /// The average that is the target network, if it is one.
  var target: RampedAverage<Leaf>?
  /// The initial values of the trained weights, if the target network is the initial one.
  var initial: Named<Leaf>?
  /// The moving average of the weights for generation, if the recipe has one.
  var ema: Named<Leaf>?
  /// The auxiliary networks of the objective, by name.
  var auxiliaries: Named<NetworkState<Leaf>>

  /// The weights for generation.
  var generating: Named<Leaf> { ema ?? live.trained }

  /// The state with transformed leaves.
  func map<Other>(_ transform: (Leaf) throws -> Other) rethrows -> TrainState<Other> {
    func map(_ network: NetworkState<Leaf>) throws -> NetworkState<Other> {
      NetworkState<Other>(
        trained: try network.trained.mapValues(transform),
        moments: try network.moments.mapValues(transform))
    }
    return TrainState<Other>(
      step: try transform(step), live: try map(live), frozen: try frozen.mapValues(transform),
      target: try target.map {
        RampedAverage(
          weights: try $0.weights.mapValues(transform), decay: try transform($0.decay))
      }, initial: try initial?.mapValues(transform), ema: try ema?.mapValues(transform),
      auxiliaries: try auxiliaries.mapValues(map))
  }
}

extension TrainState: Sendable where Leaf: Sendable {}
extension NetworkState: Sendable where Leaf: Sendable {}

/// The name prefixes of a flattened state.
private enum Group {
  static let (weights, frozen, optimizer) = ("weights", "frozen", "optimizer")
  static let (average, decay, initial, ema) = ("average", "decay", "initial", "ema")
  static let (auxiliary, step) = ("auxiliary", "step")
}

extension TrainState {
  /// The leaves by name: `weights.…`, `optimizer.…`, `frozen.…`, `average.…` with `decay`, `initial.…`,
  /// `ema.…`, `auxiliary.NAME.weights.…` and `auxiliary.NAME.optimizer.…`, `step`.
  ///
  /// - Parameter includingFrozen: whether frozen weights are included; checkpoints omit them.
  func flattened(includingFrozen: Bool = true) -> Named<Leaf> {
    func flat(_ network: NetworkState<Leaf>) -> Named<Leaf> {
      network.trained.prefixed(Group.weights).merging(network.moments.prefixed(Group.optimizer))
    }
    var all = flat(live)
    if includingFrozen { all.merge(frozen.prefixed(Group.frozen)) }
    if let target {
      all.merge(target.weights.prefixed(Group.average))
      all[Group.decay] = target.decay
    }
    if let initial { all.merge(initial.prefixed(Group.initial)) }
    for (name, network) in auxiliaries.pairs {
      all.merge(flat(network).prefixed("\(Group.auxiliary).\(name)"))
    }
    if let ema { all.merge(ema.prefixed(Group.ema)) }
    all[Group.step] = step
    return all
  }

  /// Makes a state from flattened leaves.
  ///
  /// - Parameters:
  ///   - like: a state of the same structure.
  ///   - frozen: the frozen weights; nil where they are in `flat`.
  init<Other>(_ flat: Named<Leaf>, like: TrainState<Other>, frozen: Named<Leaf>? = nil) {
    func leaves(_ names: Named<Other>, _ prefix: String) -> Named<Leaf> {
      names.map { name, _ in flat["\(prefix).\(name)"]! }
    }
    func network(_ like: NetworkState<Other>, _ prefix: String) -> NetworkState<Leaf> {
      NetworkState(
        trained: leaves(like.trained, prefix + Group.weights),
        moments: leaves(like.moments, prefix + Group.optimizer))
    }
    self.init(
      step: flat[Group.step]!, live: network(like.live, ""),
      frozen: frozen ?? leaves(like.frozen, Group.frozen),
      target: like.target.map {
        RampedAverage(weights: leaves($0.weights, Group.average), decay: flat[Group.decay]!)
      }, initial: like.initial.map { leaves($0, Group.initial) },
      ema: like.ema.map { leaves($0, Group.ema) },
      auxiliaries: like.auxiliaries.map { network($1, "\(Group.auxiliary).\($0).") })
  }

  /// The names of the generating network's weights among flattened leaves.
  static func weights(in flat: Named<Leaf>) -> [String] {
    flat.group(Group.weights).names + flat.group(Group.frozen).names
  }
}
