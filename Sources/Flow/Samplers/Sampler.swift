import Tensors

/// The sampler that generates from noise in any number of steps: "Unified continuous generative
/// models", arXiv 2505.07447.
///
/// The numbers of a step are scalar arguments, so that one compiled program serves any number of
/// steps, any style and any grid. The state between steps is in f64; the network computes in the
/// samples' element type.
public struct Sampler: Sendable {
  /// The settings.
  public let settings: SamplerSettings

  /// Makes a sampler.
  public init(_ settings: SamplerSettings) { self.settings = settings }

  /// The state between steps, `[batch, …]` each, in f64.
  public struct State {
    /// The noised samples.
    public var x: Tensor
    /// The data predicted by the last evaluation; that of the last step is the sample.
    public var data: Tensor
    /// The noise predicted by the last evaluation.
    public var noise: Tensor

    /// Makes a state of its parts.
    public init(x: Tensor, data: Tensor, noise: Tensor) {
      (self.x, self.data, self.noise) = (x, data, noise)
    }

    /// The state before the first step, from standard normal noise.
    public init(noise: Tensor) {
      let x = noise.cast(to: .float64)
      self.init(x: x, data: x.zerosLike, noise: x.zerosLike)
    }
  }

  /// The samples, with the whole trajectory in one program; of the noise's type.
  ///
  /// - Parameters:
  ///   - network: the trained network, wrapped in `GuidedModel` for guidance.
  ///   - noise: standard normal noise `[batch, …]`.
  ///   - condition: the condition of each sample.
  ///   - key: the source of the steps' fresh noise; unused where the stochastic ratio is 0.
  public func callAsFunction(
    _ network: any VelocityModel, noise: Tensor, condition: Named<Tensor>, key: Key
  ) -> Tensor {
    let keys = key.split(settings.steps.count)
    return trajectory(network, noise: noise, condition: condition) {
      keys[$0].normal(noise.shape, .float64)
    }.last!
  }

  /// The data predicted in each step; the last is the sample.
  ///
  /// - Parameter fresh: the noise of a step by its number, called only where it has any weight.
  package func trajectory(
    _ network: any VelocityModel, noise: Tensor, condition: Named<Tensor>,
    fresh: (Int) -> Tensor
  ) -> [Tensor] {
    Self.states(settings.steps, network, noise: noise, condition: condition, fresh: fresh).map {
      $0.data.cast(to: noise.dtype)
    }
  }

  /// The states after each of some steps, see `trajectory`.
  package static func states(
    _ steps: [SamplerSettings.Step<Double>], _ network: any VelocityModel, noise: Tensor,
    condition: Named<Tensor>, fresh: (Int) -> Tensor
  ) -> [State] {
    var state = State(noise: noise)
    let corrects = steps.contains { $0.correct > 0 }
    return steps.enumerated().map { i, step in
      state = advance(
        state, step.map { .constant($0, .float64) }, extrapolates: step.extrapolation > 0,
        corrects: corrects, noise: step.needsNoise ? fresh(i) : nil, network, noise.dtype,
        condition)
      return state
    }
  }

  /// The state after one step.
  ///
  /// - Parameters:
  ///   - step: the numbers of the step, scalars in f64.
  ///   - extrapolates: whether predictions may be extrapolated, by the factor of the step.
  ///   - corrects: whether a second evaluation may correct the first, where the step says so.
  ///   - noise: fresh noise in f64, nil where it has no weight.
  ///   - dtype: the samples' element type.
  public static func advance(
    _ state: State, _ step: SamplerSettings.Step<Tensor>, extrapolates: Bool = true,
    corrects: Bool, noise: Tensor?, _ network: any VelocityModel, _ dtype: DType,
    _ condition: Named<Tensor>
  ) -> State {
    let count = state.x.shape[0]
    func evaluate(
      _ x: Tensor, _ time: Tensor, received: Tensor, _ target: Tensor
    ) -> (data: Tensor, noise: Tensor) {
      let rows = { (t: Tensor) in t.cast(to: .float32).broadcast(to: [count]) }
      let x = x.cast(to: dtype)
      let velocity = network(
        x, time: rows(received), target: rows(target), condition: condition)
      let result = Evaluation(velocity: velocity, at: x, time: rows(time))
      return (result.data.cast(to: .float64), result.noise.cast(to: .float64))
    }
    let raw = evaluate(state.x, step.time, received: step.networkTime, step.target)
    var (data, ends) = raw
    if extrapolates {
      data = data + step.extrapolation * (data - state.data)
      ends = ends + step.extrapolation * (ends - state.noise)
    }
    var mixed = ends
    if let noise {
      mixed = ends * (1 - step.stochastic).sqrt() + noise * step.stochastic.sqrt()
    }
    var next =
      (1 - step.next) * data + step.next * mixed + step.change * (raw.data - state.data)
    if corrects {
      // Heun's correction of the noise estimate; not at t = 1, where the data has no weight.
      let second = evaluate(next, step.next, received: step.next, step.secondTarget)
      let applies = step.correct.greater(0.5)
      let share = applies.select(1 - step.time, .constant(1, .float64))
      let corrected =
        state.x * (1 - step.next) / share
        + (step.next - (1 - step.next) * step.time / share) * (0.5 * ends + 0.5 * second.noise)
      next = applies.select(corrected, next)
    }
    return State(x: next, data: raw.data, noise: raw.noise)
  }
}
