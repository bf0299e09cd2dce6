import Tensors

/// Everything random in one step of the large-scale objective.
///
/// The only place where chance enters: a test may put recorded draws here.
public struct Draws {
  /// Draws of the times' beta distribution `[batch]`, before they are clamped and scaled.
  public var time: Tensor
  /// Uniform numbers that place the target times `[batch]`.
  public var target: Tensor
  /// Uniform numbers that place the near target times `[batch]`.
  public var near: Tensor
  /// The noise that fake data is made from `[adversarial rows, …]`; with data-free training
  /// `dataNoise` comes first.
  public var fakeNoise: Tensor
  /// The noise of the path `[batch, …]`.
  public var noise: Tensor
  /// The noise of the rectification's path `[end-to-end rows, …]`.
  public var rectificationNoise: Tensor
  /// The times of the rectification `[end-to-end rows]`.
  public var rectificationTime: Tensor
  /// The noise that data is made from when there is none `[batch, …]`.
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
