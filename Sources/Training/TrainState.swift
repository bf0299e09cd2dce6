import Flow
import Layers
import Tensors

/// What is kept of one network in training.
struct NetworkState<Leaf> {
  /// The weights that steps change.
  var trained: Named<Leaf>
  /// What the optimizer keeps for them; empty for a network that no step changes.
  var moments: Named<Leaf>
}

/// Everything that a training run keeps between steps.
///
/// `Leaf` is a symbolic tensor while a step is traced, an array on devices at run time, and a type with
/// its sharding in plans. Names are strings only in `flattened`, for programs and checkpoints.
struct TrainState<Leaf> {
  /// How many steps have been made, s32.
  var step: Leaf
  /// The network that generates.
  var live: NetworkState<Leaf>
  /// Its weights that no step changes, in the element types that they are stored in.
  var frozen: Named<Leaf>
  /// The target network, where it is an average.
  var target: RampedAverage<Leaf>?
  /// The trained weights as they were before the first step, where the target network is the initial
  /// one.
  var initial: Named<Leaf>?
  /// The average of the weights that generation gets, where the recipe asks for one.
  var ema: Named<Leaf>?
  /// The further networks that the objective holds, by name.
  var auxiliaries: Named<NetworkState<Leaf>>

  /// The weights that generation gets.
  var generating: Named<Leaf> { ema ?? live.trained }

  /// The same state of other leaves.
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

/// The names of the parts of a flattened state.
private enum Group {
  static let (weights, frozen, optimizer) = ("weights", "frozen", "optimizer")
  static let (average, decay, initial, ema) = ("average", "decay", "initial", "ema")
  static let (auxiliary, step) = ("auxiliary", "step")
}

extension TrainState {
  /// The leaves by name: `weights.…`, `optimizer.…`, `frozen.…`, `average.…` with `decay`, `initial.…`,
  /// `ema.…`, `auxiliary.NAME.weights.…` and `auxiliary.NAME.optimizer.…`, `step`.
  ///
  /// - Parameter includingFrozen: whether what no step changes is among them; a checkpoint leaves it
  ///   out.
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

  /// The state of flattened leaves.
  ///
  /// - Parameters:
  ///   - like: a state with the same parts.
  ///   - frozen: the leaves of what no step changes; nil where they are among `flat`.
  init<Other>(_ flat: Named<Leaf>, like: TrainState<Other>, frozen: Named<Leaf>? = nil) {
    func leaves(_ names: Named<Other>, _ part: String) -> Named<Leaf> {
      names.map { name, _ in flat["\(part).\(name)"]! }
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

  /// Whether flattened leaves of such names are weights, of any network; for recognizing a file.
  static func weights(in flat: Named<Leaf>) -> [String] {
    flat.group(Group.weights).names + flat.group(Group.frozen).names
  }
}
