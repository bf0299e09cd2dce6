import Tensors

/// What a network is trained to do: from its evaluations on a batch to a loss.
public protocol Objective: Sendable {
  /// Draws everything random of a step on a batch.
  ///
  /// Whatever mixes rows of the batch happens here, so that afterwards a batch can be dealt out to
  /// micro-batches.
  func draw(_ batch: Samples, key: Key) -> DrawnBatch

  /// The loss of a batch with its draws, and metrics.
  func callAsFunction(_ networks: Networks, _ batch: DrawnBatch) -> Loss

  /// The same objective on one of `count` micro-batches, each of which has its share of every group of
  /// rows, so that the mean of their losses is the loss of the batch.
  ///
  /// - Throws: `FlowError.indivisibleGroup` where a group cannot be shared equally.
  func microBatch(of count: Int) throws -> any Objective

  /// The groups of rows that a batch consists of, one after the other.
  var rowGroups: [Int] { get }

  /// The groups of rows that a draw consists of, by its name.
  func rowGroups(ofDraw name: String) -> [Int]

  /// The network that targets come from.
  var target: TargetNetwork { get }

  /// The networks beside the one that is trained to generate; none for most objectives.
  var auxiliaries: [Auxiliary] { get }

  /// Every how many steps the network that generates is updated.
  var interval: Int { get }
}

extension Objective {
  /// Most objectives treat all draws as the batch.
  public func rowGroups(ofDraw name: String) -> [Int] { rowGroups }

  /// Most objectives have no target network of their own.
  public var target: TargetNetwork { .live }

  /// Most objectives need one network alone.
  public var auxiliaries: [Auxiliary] { [] }

  /// Most objectives update it in every step.
  public var interval: Int { 1 }

  /// The loss of a batch with draws from a key.
  public func callAsFunction(_ networks: Networks, _ batch: Samples, key: Key) -> Loss {
    self(networks, draw(batch, key: key))
  }
}

/// A batch with everything random of a step.
public struct DrawnBatch {
  /// The batch.
  public let samples: Samples
  /// The draws by name, rows first.
  public let draws: Named<Tensor>

  /// Makes a batch with draws.
  public init(_ samples: Samples, draws: Named<Tensor>) {
    (self.samples, self.draws) = (samples, draws)
  }
}

/// A network of the same architecture that an objective holds beside the one that generates. It
/// starts as a copy of that one, and has an optimiser state of its own.
public struct Auxiliary: Hashable, Sendable {
  /// Its name among the objective's networks.
  public let name: String
  /// Every how many steps it is updated; nil for a frozen one.
  public let interval: Int?
  /// Its learning rate as a multiple of the recipe's.
  public let rate: Double

  /// Describes a network.
  public init(_ name: String, interval: Int?, rate: Double = 1) {
    self.name = name
    self.interval = interval
    self.rate = rate
  }
}

/// The bindings of one architecture that an objective evaluates.
public struct Networks {
  /// The network that is trained.
  public let live: any VelocityModel
  /// The target network: the average, the initial network or the live one; it gets no gradient.
  public let target: any VelocityModel
  /// The auxiliary networks by name.
  public let auxiliaries: [String: any VelocityModel]

  /// Makes a set.
  public init(
    live: any VelocityModel, target: any VelocityModel,
    auxiliaries: [String: any VelocityModel] = [:]
  ) {
    self.live = live
    self.target = target
    self.auxiliaries = auxiliaries
  }
}

/// A batch as objectives see it.
public struct Samples {
  /// The data `[batch, …]`.
  public let data: Tensor
  /// What each sample is conditioned on, batch first.
  public let condition: Named<Tensor>
  /// The condition that says nothing, of the same shapes.
  public let unconditional: Named<Tensor>

  /// Makes a batch.
  public init(data: Tensor, condition: Named<Tensor>, unconditional: Named<Tensor>) {
    self.data = data
    self.condition = condition
    self.unconditional = unconditional
  }
}

/// A loss with what is worth knowing of it.
public struct Loss {
  /// The scalar that is minimised.
  public let total: Tensor
  /// The scalars that the auxiliary networks minimise, by their names.
  public let auxiliaries: Named<Tensor>
  /// Scalars to be logged, by name.
  public let metrics: Named<Tensor>
  /// Values on the way, for tests: only those that are asked for are computed.
  public let details: Named<Tensor>

  /// Makes a loss.
  public init(
    total: Tensor, auxiliaries: Named<Tensor> = Named(), metrics: Named<Tensor>,
    details: Named<Tensor> = Named()
  ) {
    self.total = total
    self.auxiliaries = auxiliaries
    self.metrics = metrics
    self.details = details
  }
}

/// How far a prediction is from its target, one number a sample.
public enum RegressionLoss: Hashable, Sendable {
  /// The mean square.
  case l2
  /// The mean square, reweighted by a constant that falls with it: Barron, "A general and adaptive
  /// robust loss function", 2019. α = 2 is the mean square over c.
  case barron(alpha: Double = 1, c: Double = 1e-3)

  /// The distances of `[batch, …]`, in f32 at least.
  public func callAsFunction(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    let square = (prediction.wide - target.wide).squared().meanPerSample()
    switch self {
    case .l2: return square
    case .barron(let alpha, let c):
      guard Swift.abs(alpha - 2) >= 1e-5 else { return square / c }
      let scaled = square / (c * c + 1e-8)
      let weight = (scaled / Swift.abs(alpha - 2) + 1).power((alpha - 2) / 2)
      return square * weight.stopGradient() / c
    }
  }
}

extension Int {
  /// The rows of one of `count` micro-batches that share these.
  ///
  /// - Throws: `FlowError.indivisibleGroup`.
  func shared(by count: Int) throws(FlowError) -> Int {
    guard self % count == 0 else {
      throw .indivisibleGroup(name: "The batch", rows: self, microBatches: count)
    }
    return self / count
  }
}
