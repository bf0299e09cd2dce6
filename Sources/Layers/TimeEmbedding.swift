import Foundation
import Tensors

extension Tensor {
  /// Sinusoidal features of times `[batch]`: cosines, then sines, `[batch, width]` in f32.
  ///
  /// Frequencies fall from 1 to 1/`period` as `exp(−ln(period)·k/half)`; a negative time flips the signs
  /// of the sines.
  public func sinusoidal(_ width: Int, period: Double = 10_000) -> Tensor {
    precondition(width % 2 == 0, "sinusoidal features come in pairs, not \(width)")
    let half = width / 2
    let exponent = Tensor.iota([half], .float32) * (1 / Double(half))
    return sinusoidal(frequencies: Tensor.constant(1 / period, .float32).power(exponent))
  }

  /// Sinusoidal features of times `[batch]` as diffusers computes them: cosines, then sines,
  /// `[batch, width]` in f32.
  ///
  /// The frequencies `exp(−ln(10,000)·k/(half − shift))` have the f32 rounding of the published code: at
  /// times of 1000 another rounding changes the angles by more than the rest of a network does.
  ///
  /// - Parameters:
  ///   - shift: 1 where the last frequency is to be 1/10,000 itself.
  ///   - scale: a factor of all angles.
  public func publishedSinusoidal(_ width: Int, shift: Int = 0, scale: Double = 1) -> Tensor {
    precondition(
      width % 2 == 0 && width / 2 > shift, "sinusoidal features come in pairs, not \(width)")
    let half = width / 2
    let slope = Float(-Foundation.log(10_000.0))
    let table = (0..<half).map { (k: Int) -> Float in
      let exponent: Float = slope * Float(k) / Float(half - shift)
      return Float(Foundation.exp(Double(exponent)))
    }
    return sinusoidal(frequencies: .constant(table, shape: [half]), scale: scale)
  }

  private func sinusoidal(frequencies: Tensor, scale: Double = 1) -> Tensor {
    let unscaled = cast(to: .float32).expanded([1]) * frequencies
    let angles = scale == 1 ? unscaled : unscaled * scale
    return .concatenate([angles.cos(), angles.sin()], axis: 1)
  }

  /// Fixed two-dimensional position features `[height · width, features]` in f32.
  ///
  /// The first half of the features encodes the column, the second the row; each is sines, then
  /// cosines, with frequencies as in `sinusoidal`: Dosovitskiy et al., 2021; Peebles and Xie,
  /// 2023.
  ///
  /// - Parameters:
  ///   - base: the height and width that a network was trained with; the positions of other sizes are
  ///     scaled to the same range. Without it they are 0, 1, 2 ….
  ///   - interpolation: a number that positions are divided by.
  public static func positions(
    height: Int, width: Int, features: Int, base: Int? = nil, interpolation: Double = 1
  ) -> Tensor {
    precondition(features % 4 == 0, "position features come in fours, not \(features)")
    let quarter = features / 4
    let exponent = Tensor.iota([quarter], .float32) * (1 / Double(quarter))
    let frequencies = Tensor.constant(1e-4, .float32).power(exponent)
    let encode = { (axis: Int) -> Tensor in
      let size = axis == 0 ? height : width
      let index = Tensor.iota([height, width], axis: axis, .float32).expanded([2])
      let place = base.map { $0 == size ? index : index * (Double($0) / Double(size)) } ?? index
      let angles = (interpolation == 1 ? place : place / interpolation) * frequencies
      return .concatenate([angles.sin(), angles.cos()], axis: -1)
    }
    return Tensor.concatenate([encode(1), encode(0)], axis: -1).reshape([-1, features])
  }
}
