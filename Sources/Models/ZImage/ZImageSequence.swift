import Layers
import Tensors

extension ZImage {
  /// The tokens of a batch and what its samples' lengths determine.
  ///
  /// A sample's text is padded to a multiple of 32 with learned tokens, and only what goes beyond that,
  /// because another sample's text is longer, is hidden from attention. So each sample gets what it
  /// would get alone.
  struct Sequence {
    /// The rotary embeddings of the image's tokens, of the text's, and of the image's followed by the
    /// text's.
    let rotary: (image: Rotary, text: Rotary, all: Rotary)
    /// The options of attention among the text's tokens, and among all tokens.
    let attention: (text: AttentionOptions, all: AttentionOptions)
    /// Bools `[batch, text tokens, 1]` or `[1, text tokens, 1]`, true for text and false for padding.
    let isText: Tensor
    /// Bools `[1, image tokens, 1]`, true for the image and false for padding.
    let isImage: Tensor
  }

  /// The number of tokens with padding.
  static func padded(_ count: Int) -> Int { (count + multiple - 1) / multiple * multiple }

  /// Sequences are padded to multiples of this number.
  private static let multiple = 32

  /// The facts of a batch's tokens.
  ///
  /// Position 0 of the first axis is padding of the image; text and its padding have the positions from
  /// 1 on, with row and column 0; all tokens of the image have the next position after them, and their
  /// rows and columns from 0.
  ///
  /// - Parameters:
  ///   - grid: the image's size in tokens.
  ///   - textTokens: the number of text tokens in the batch's arrays, without padding to a multiple.
  ///   - valid: see `output`.
  func sequence(_ grid: TokenGrid, batch: Int, textTokens: Int, valid: Tensor?) -> Sequence {
    let (image, text) = (Self.padded(grid.count), Self.padded(textTokens))
    let place = Tensor.iota([1, text, 1], axis: 1, .int32)
    let isImage = Tensor.iota([1, image, 1], axis: 1, .int32)
      .less(.constant(Double(grid.count), .int32))
    let lengths = valid.map { Self.lengths($0, batch: batch, tokens: textTokens) }
    let whole = lengths.map {
      ($0 + Double(Self.multiple - 1)) / Double(Self.multiple) * Double(Self.multiple)
    }
    let textAngles = angles([Tensor.iota([text], .float32) + 1], axes: 0..<1, tokens: text)
    let imageAngles = imageAngles(
      grid, tokens: image, start: whole.map { $0.cast(to: .float32).expanded([1]) }, text: text)
    let all =
      whole == nil
      ? [imageAngles, textAngles]
      : [imageAngles, textAngles.broadcast(to: [batch, text, textAngles.shape[1]])]
    let rotary = [imageAngles, textAngles, .concatenate(all, axis: -2)].map {
      Rotary(angles: $0, layout: .interleaved)
    }
    return Sequence(
      rotary: (rotary[0], rotary[1], rotary[2]),
      attention: (
        AttentionOptions(mask: whole.map { .keys($0) } ?? .none),
        AttentionOptions(mask: whole.map { .keys($0 + Double(image)) } ?? .none)
      ),
      isText: place.less(
        lengths?.expanded([1, 2]) ?? .constant(Double(textTokens), .int32)),
      isImage: isImage)
  }

  /// The numbers of valid text tokens, s32 `[batch]`.
  private static func lengths(_ valid: Tensor, batch: Int, tokens: Int) -> Tensor {
    precondition(
      valid.shape == [batch] || valid.shape == [batch, tokens],
      "\(valid.type) does not say which of \(tokens) text tokens of \(batch) samples are valid")
    if valid.rank == 1 { return valid.cast(to: .int32) }
    let isValid = valid.dtype == .bool ? valid : valid.notEqual(valid.zerosLike)
    return isValid.cast(to: .int32).sum([1])
  }

  /// The angles of the image's tokens and of its padding, `[tokens, head width/2]`, or with the batch
  /// first where samples differ.
  ///
  /// - Parameters:
  ///   - start: the tokens of each sample's text with its padding, f32 `[batch, 1]`; nil for `text` in all
  ///     samples.
  private func imageAngles(_ grid: TokenGrid, tokens: Int, start: Tensor?, text: Int) -> Tensor {
    let shape: Shape = [grid.height, grid.width]
    let ones = Tensor.ones([grid.count], .float32)
    let places = start.map { ($0 + 1) * ones } ?? ones * Double(text + 1)
    let rows = (0..<2).map { Tensor.iota(shape, axis: $0, .float32).reshape([-1]) }
    return angles([places] + rows, axes: 0..<3, tokens: tokens)
  }

  /// The angles of positions `[…, positions]` along leading axes, and of position 0 for all other tokens
  /// and axes, `[…, tokens, head width/2]`.
  private func angles(_ positions: [Tensor], axes: Range<Int>, tokens: Int) -> Tensor {
    let leading = Array(positions[0].shape.sizes.dropLast())
    let parts = config.rotaryAxes.enumerated().map { axis, width in
      guard axes.contains(axis) else {
        return Tensor.zeros(Shape(leading + [positions[0].shape[-1], width / 2]), .float32)
      }
      let angles = positions[axis].rotaryAngles(width: width, base: config.rotaryBase)
      return angles.broadcast(to: Shape(leading + [angles.shape[-2], angles.shape[-1]]))
    }
    let known = Tensor.concatenate(parts, axis: -1)
    let missing = tokens - known.shape[-2]
    return missing == 0
      ? known
      : known.pad(leading.map { _ in (0, 0) } + [(0, missing), (0, 0)])
  }
}
