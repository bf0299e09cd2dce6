import Tensors

/// All random numbers of one step of the large-scale objective.
///
/// The only source of randomness; tests replace them by recorded draws.
public struct Draws {
  /// Draws of the times' beta distribution `[batch]`, before they are clamped and scaled.
  public var time: Tensor
  /// Uniform numbers that determine the target times `[batch]`.
  public var target: Tensor
  /// Uniform numbers that determine the near target times `[batch]`.
  public var near: Tensor
  /// The noise that fake data is generated from `[adversarial rows, …]`.
  public var fakeNoise: Tensor
  /// The noise of the paths `[batch, …]`.
  public var noise: Tensor
  /// The noise of the rectification's paths `[end-to-end rows, …]`.
  public var rectificationNoise: Tensor
  /// The times of the rectification `[end-to-end rows]`.
  public var rectificationTime: Tensor
  /// The noise that data is generated from in data-free training `[batch, …]`.
  public var dataNoise: Tensor

  /// Makes draws from given tensors.
  public init(
    time: Tensor, target: Tensor, near: Tensor, fakeNoise: Tensor, noise: Tensor,
    rectificationNoise: Tensor, rectificationTime: Tensor, dataNoise: Tensor
  ) {
    self.time = time
    self.target = target
    self.near = near
    self.fakeNoise = fakeNoise
    self.noise = noise
    self.rectificationNoise = rectificationNoise
    self.rectificationTime = rectificationTime
    self.dataNoise = dataNoise
  }

  /// The draws by name.
  public var named: Named<Tensor> {
    Named([
      ("time", time), ("target", target), ("near", near), ("fake_noise", fakeNoise),
      ("noise", noise), ("rectification_noise", rectificationNoise),
      ("rectification_time", rectificationTime), ("data_noise", dataNoise),
    ])
  }

  /// Makes draws from named tensors.
  init(_ named: Named<Tensor>) {
    self.init(
      time: named["time"]!, target: named["target"]!, near: named["near"]!,
      fakeNoise: named["fake_noise"]!, noise: named["noise"]!,
      rectificationNoise: named["rectification_noise"]!,
      rectificationTime: named["rectification_time"]!, dataNoise: named["data_noise"]!)
  }
}
