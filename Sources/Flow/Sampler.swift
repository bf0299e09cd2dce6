import Tensors

/// Generates from noise in any number of steps: the sampler of "Unified continuous generative
/// models", arXiv 2505.07447.
public struct Sampler: Sendable {
  /// The knobs.
  public let settings: SamplerSettings

  /// Makes a sampler.
  public init(_ settings: SamplerSettings) { self.settings = settings }

  /// Samples from noise.
  ///
  /// The state between steps is in f64; the network gets the noise's element type.
  ///
  /// - Parameters:
  ///   - network: the trained network, with guidance around it if it needs any.
  ///   - noise: standard normal noise `[batch, …]`.
  ///   - condition: what each sample is conditioned on.
  ///   - key: the source of the steps' own noise; unused where the stochastic ratio is 0.
  /// - Returns: the samples, of the noise's type.
  public func callAsFunction(
    _ network: any VelocityModel, noise: Tensor, condition: Named<Tensor>, key: Key
  ) -> Tensor {
    let keys = key.split(settings.steps.count)
    guard keys.count <= 8 else { return scanned(network, noise, condition, keys) }
    return trajectory(network, noise: noise, condition: condition) {
      keys[$0].normal(noise.shape, .float64)
    }.last!
  }

  /// The data that each step's evaluation points to; the last is the sample.
  ///
  /// - Parameter fresh: the noise of a step by its number, asked for only where it has any weight.
  package func trajectory(
    _ network: any VelocityModel, noise: Tensor, condition: Named<Tensor>,
    fresh: (Int) -> Tensor
  ) -> [Tensor] {
    var state = State(x: noise.cast(to: .float64))
    return settings.steps.enumerated().map { i, step in
      state = advance(
        state, step.map { .constant($0, .float64) },
        extrapolate: i >= 2 ? .constant(1, .float64) : nil,
        noise: step.needsNoise ? fresh(i) : nil, network, noise.dtype, condition)
      return state.last!.data.cast(to: noise.dtype)
    }
  }

  private struct State {
    var x: Tensor
    var last: (data: Tensor, noise: Tensor)?
  }

  private func scanned(
    _ network: any VelocityModel, _ noise: Tensor, _ condition: Named<Tensor>, _ keys: [Key]
  ) -> Tensor {
    let steps = settings.steps
    let columns = SamplerSettings.Step<Double>.fields.map { field in
      Tensor.constant(steps.map(field), shape: [steps.count])
    }
    let later = Tensor.constant(steps.indices.map { $0 >= 2 ? 1.0 : 0 }, shape: [steps.count])
    let x = noise.cast(to: .float64)
    let anyNoise = steps.contains { $0.needsNoise }
    let rounds = columns + [later, .stack(keys.map(\.state))]
    let result = scan([x, x.zerosLike, x.zerosLike], rounds) { state, round in
      let step = SamplerSettings.Step(
        time: round[0], target: round[1], next: round[2], stochastic: round[3], correct: round[4])
      let drawn = anyNoise ? Key(round[6]).normal(noise.shape, .float64) : nil
      let next = advance(
        State(x: state[0], last: (state[1], state[2])), step, extrapolate: round[5], noise: drawn,
        network, noise.dtype, condition)
      return ([next.x, next.last!.data, next.last!.noise], [])
    }
    return result.carry[1].cast(to: noise.dtype)
  }

  private func advance(
    _ state: State, _ step: SamplerSettings.Step<Tensor>, extrapolate: Tensor?, noise: Tensor?,
    _ network: any VelocityModel, _ dtype: DType, _ condition: Named<Tensor>
  ) -> State {
    let count = state.x.shape[0]
    func evaluate(_ x: Tensor, _ time: Tensor, _ target: Tensor) -> (data: Tensor, noise: Tensor) {
      let rows = { (t: Tensor) in t.cast(to: .float32).broadcast(to: [count]) }
      let result = network.evaluate(
        x.cast(to: dtype), time: rows(time), target: rows(target), condition: condition)
      return (result.data.cast(to: .float64), result.noise.cast(to: .float64))
    }
    let raw = evaluate(state.x, step.time, step.target)
    var (data, ends) = raw
    if settings.extrapolation > 0, let extrapolate, let last = state.last {
      let ratio = extrapolate * settings.extrapolation
      data = data + ratio * (data - last.data)
      ends = ends + ratio * (ends - last.noise)
    }
    var mixed = ends
    if let noise {
      mixed = ends * (1 - step.stochastic).sqrt() + noise * step.stochastic.sqrt()
    }
    var next = (1 - step.next) * data + step.next * mixed
    if settings.order == 2 {
      // Heun's correction of the noise estimate; there is none from t = 1, where data has no share.
      let style = settings.style
      let target =
        switch style {
        case .few: step.next.zerosLike
        case .multi, .any: step.next
        }
      let second = evaluate(next, step.next, target)
      let share = step.correct.greater(0.5).select(1 - step.time, .constant(1, .float64))
      let corrected =
        state.x * (1 - step.next) / share
        + (step.next - (1 - step.next) * step.time / share) * (0.5 * ends + 0.5 * second.noise)
      next = step.correct.greater(0.5).select(corrected, next)
    }
    return State(x: next, last: raw)
  }
}

/// Classifier-free guidance around a network: `F∅ + (1 + scale)·(F − F∅)`, Ho and Salimans, 2022.
public struct GuidedModel: VelocityModel {
  let network: any VelocityModel
  let unconditional: Named<Tensor>
  let scale: Double

  /// Makes a guided network; a scale of 0 is the network itself.
  public init(_ network: any VelocityModel, unconditional: Named<Tensor>, scale: Double) {
    self.network = network
    self.unconditional = unconditional
    self.scale = scale
  }

  /// The guided velocity, from one evaluation of twice the batch.
  public func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let twice = { (t: Tensor) in Tensor.concatenate([t, t]) }
    let both = network(
      twice(x), time: twice(time), target: twice(target),
      condition: condition.appending(unconditional)
    ).split(2)
    return both[0] + (both[0] - both[1]) * scale
  }
}
