import Tensors

/// A training objective: the loss of a network on a batch.
public protocol Objective: Sendable {
  /// Draws all random numbers of a step on a batch.
  ///
  /// Everything that mixes rows of the batch happens here, so that the result can be divided into
  /// micro-batches.
  func draw(_ batch: Batch, key: Key) -> DrawnBatch

  /// The loss of a batch with its draws, and metrics.
  func callAsFunction(_ networks: Networks, _ batch: DrawnBatch) -> Loss

  /// The same objective on one of `count` micro-batches, each of which has its share of every group of
  /// rows, so that the mean of their losses is the loss of the batch.
  ///
  /// - Throws: `FlowError.indivisibleGroup` where a group cannot be divided equally.
  func microBatch(of count: Int) throws -> any Objective

  /// The sizes of the consecutive groups of rows in a batch.
  var rowGroups: [Int] { get }

  /// The sizes of the consecutive groups of rows in a draw, by its name.
  func rowGroups(ofDraw name: String) -> [Int]

  /// The network that computes targets.
  var target: TargetNetwork { get }

  /// The networks besides the generating one; none for most objectives.
  var auxiliaries: [Auxiliary] { get }

  /// The number of steps between updates of the generating network by its own loss.
  var interval: Int { get }

  /// The name of the auxiliary loss of the generating network's own twin trajectory; nil for most objectives.
  /// The network minimizes it in every step, together with its other loss where that is due.
  var twinLoss: String? { get }

  /// The rows of the batch that a pushforward of the network is computed for in a step.
  var pushforwardRows: Int { get }
}

extension Objective {
  /// By default the groups of the batch.
  public func rowGroups(ofDraw name: String) -> [Int] { rowGroups }

  /// By default the live network.
  public var target: TargetNetwork { .live }

  /// By default none.
  public var auxiliaries: [Auxiliary] { [] }

  /// By default 1: an update in every step.
  public var interval: Int { 1 }

  /// By default none.
  public var twinLoss: String? { nil }

  /// By default none.
  public var pushforwardRows: Int { 0 }

  /// The loss of a batch, with draws from a key.
  public func callAsFunction(_ networks: Networks, _ batch: Batch, key: Key) -> Loss {
    self(networks, draw(batch, key: key))
  }
}

/// A batch with all random numbers of a step.
public struct DrawnBatch {
  /// The batch.
  public let batch: Batch
  /// The draws by name, rows first.
  public let draws: Named<Tensor>

  /// Makes a batch with draws.
  public init(_ batch: Batch, draws: Named<Tensor>) {
    (self.batch, self.draws) = (batch, draws)
  }
}

/// A network that an objective has besides the generating one, with its own optimizer state: one of the same
/// architecture, which starts as a copy of that one, or a critic, which starts fresh.
public struct Auxiliary: Hashable, Sendable {
  /// Its name among the objective's networks.
  public let name: String
  /// The number of steps between its updates; nil for a frozen network.
  public let interval: Int?
  /// Its learning rate as a multiple of the recipe's.
  public let learningRateFactor: Double
  /// The critic that it is; nil for a network like the generating one.
  public let critic: CriticHeads?

  /// Describes a network.
  public init(
    _ name: String, interval: Int?, learningRateFactor: Double = 1, critic: CriticHeads? = nil
  ) {
    self.name = name
    self.interval = interval
    self.learningRateFactor = learningRateFactor
    self.critic = critic
  }
}

/// The networks that an objective evaluates: bindings of one architecture, and critics.
public struct Networks {
  /// The network that is trained.
  public let live: any VelocityModel
  /// The target network, without gradient: the average, the initial network or the live one.
  public let target: any VelocityModel
  /// The auxiliary networks by name.
  public let auxiliaries: [String: any VelocityModel]
  /// The critics by name.
  public let critics: [String: any Critic]

  /// Makes a set.
  public init(
    live: any VelocityModel, target: any VelocityModel,
    auxiliaries: [String: any VelocityModel] = [:], critics: [String: any Critic] = [:]
  ) {
    self.live = live
    self.target = target
    self.auxiliaries = auxiliaries
    self.critics = critics
  }
}

/// The data and conditions of a batch.
public struct Batch {
  /// The data `[batch, …]`.
  public let data: Tensor
  /// The condition of each sample, batch first.
  public let condition: Named<Tensor>
  /// The empty condition for each sample, of the same shapes.
  public let unconditional: Named<Tensor>
  /// The weights of the data's elements in the loss `[batch, …]`, of the data's rank with axes of its
  /// sizes or of 1; nil weighs all equally.
  public let weights: Tensor?
  /// The number of steps of the run before this one, a scalar.
  public let step: Tensor

  /// Makes a batch, by default of the first step.
  public init(
    data: Tensor, condition: Named<Tensor>, unconditional: Named<Tensor>, weights: Tensor? = nil,
    step: Tensor = .constant(0, .int32)
  ) {
    self.data = data
    self.condition = condition
    self.unconditional = unconditional
    self.weights = weights
    self.step = step
  }
}

/// A loss with metrics.
public struct Loss {
  /// The scalar that is minimized.
  public let total: Tensor
  /// The scalars that the auxiliary networks minimize, by their names, and that of the twin trajectory.
  public let auxiliaries: Named<Tensor>
  /// Scalars to be logged, by name.
  public let metrics: Named<Tensor>
  /// Intermediate values for tests; only those that are used are computed.
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

/// The loss of a prediction against its target, one number per sample.
public enum RegressionLoss: Hashable, Sendable {
  /// The mean square.
  case l2
  /// The mean square, reweighted by a constant that falls with it: Barron, "A general and adaptive
  /// robust loss function", 2019. α = 2 is the mean square over c.
  case barron(alpha: Double = 1, c: Double = 1e-3)

  /// The losses of `[batch, …]`, in f32 or wider.
  ///
  /// - Parameter weights: the weights of the elements in the mean of each sample, which is divided by
  ///   theirs, with axes of 1 where they are equal; nil weighs all equally.
  public func callAsFunction(
    _ prediction: Tensor, _ target: Tensor, weights: Tensor? = nil
  ) -> Tensor {
    let squares = (prediction.wide - target.wide).squared()
    let square =
      weights.map { weights in
        // A sample without any weight has no loss.
        let mean = weights.wide.meanPerSample().maximum(1e-6).expanded(toRank: weights.rank)
        return (squares * (weights.wide / mean).broadcast(to: squares.shape)).meanPerSample()
      } ?? squares.meanPerSample()
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
  /// The rows of each of `count` micro-batches that divide these equally.
  ///
  /// - Throws: `FlowError.indivisibleGroup`.
  func shared(by count: Int) throws(FlowError) -> Int {
    guard self % count == 0 else {
      throw .indivisibleGroup(name: "The batch", rows: self, microBatches: count)
    }
    return self / count
  }
}
