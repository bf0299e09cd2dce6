import Tensors

/// A prompt of text and images as Qwen2.5-VL and Qwen3-VL take it: with a token for each merged patch of an
/// image, and with positions along time, rows and columns: Wang and others, "Qwen2-VL", 2024.
public struct MultimodalPrompt: Hashable, Sendable {
  /// The tokens.
  public private(set) var tokens: [Int32] = []
  /// The time, the row and the column of each token: three lists.
  ///
  /// A token of text has the same position along all three, which follows the largest one before it. The
  /// tokens of an image have one time, and their rows and columns start there.
  public private(set) var positions: [[Int32]] = [[], [], []]
  /// The row of each image token in the embeddings of all images, −1 for tokens of text.
  public private(set) var imageRows: [Int32] = []
  /// The position of the token after the prompt, along all three axes.
  public private(set) var next: Int32 = 0

  /// Lays out a prompt.
  ///
  /// - Parameters:
  ///   - tokens: the prompt's tokens, with one image token for each image.
  ///   - imageToken: the id of that token.
  ///   - grids: the sizes in patches of all images that are embedded together.
  ///   - images: those of the prompt in their order, by their numbers; nil for all of them.
  ///   - merge: the height and width of a merged patch in patches.
  /// - Throws: `ModelError.imageTokens` where the prompt has another number of image tokens.
  public init(
    _ tokens: [Int32], imageToken: Int, grids: [TokenGrid] = [], images: [Int]? = nil,
    merge: Int = 2
  ) throws(ModelError) {
    let images = images ?? Array(grids.indices)
    let places = tokens.count { $0 == imageToken }
    guard places == images.count else {
      throw .imageTokens(found: places, images: images.count)
    }
    let merged = grids.map { TokenGrid(height: $0.height / merge, width: $0.width / merge) }
    var rest = images.makeIterator()
    for token in tokens {
      guard token == imageToken, let image = rest.next() else {
        append(token, time: next, row: next, column: next)
        next += 1
        continue
      }
      let firstRow = merged[..<image].reduce(0) { $0 + $1.count }
      append(image: merged[image], token, firstRow: firstRow)
    }
  }

  private mutating func append(
    _ token: Int32, time: Int32, row: Int32, column: Int32, imageRow: Int32 = -1
  ) {
    tokens.append(token)
    for (axis, position) in [time, row, column].enumerated() { positions[axis].append(position) }
    imageRows.append(imageRow)
  }

  private mutating func append(image grid: TokenGrid, _ token: Int32, firstRow: Int) {
    let start = next
    for place in 0..<grid.count {
      append(
        token, time: start, row: start + Int32(place / grid.width),
        column: start + Int32(place % grid.width), imageRow: Int32(firstRow + place))
    }
    next = start + Int32(max(grid.height, grid.width))
  }
}

/// Prompts of one length as the arrays that networks take.
public struct MultimodalBatch: Hashable, Sendable {
  /// Where shorter prompts are filled up.
  public enum Padding: Sendable {
    /// In front of them, as for generating text.
    case left
    /// Behind them.
    case right
  }

  /// The ids, s32 `[batch, tokens]`.
  public let tokens: HostArray
  /// Bools `[batch, tokens]`, false for padding.
  public let valid: HostArray
  /// The positions, s32 `[3, batch, tokens]`; 0 for padding.
  public let positions: HostArray
  /// The rows of image tokens, s32 `[batch, tokens]`; −1 for text and padding.
  public let imageRows: HostArray

  /// Pads prompts.
  ///
  /// - Parameters:
  ///   - length: the number of tokens; nil for that of the longest prompt.
  ///   - token: the id of padding.
  public init(
    _ prompts: [MultimodalPrompt], length: Int? = nil, padding: Padding = .right, token: Int32
  ) {
    let length = length ?? prompts.map(\.tokens.count).max() ?? 0
    func padded<T>(_ values: [T], _ filler: T) -> [T] {
      precondition(values.count <= length, "a prompt of \(values.count) tokens exceeds \(length)")
      let rest = [T](repeating: filler, count: length - values.count)
      return padding == .left ? rest + values : values + rest
    }
    let shape: Shape = [prompts.count, length]
    tokens = HostArray(prompts.flatMap { padded($0.tokens, token) }, shape: shape)
    valid = HostArray(
      prompts.flatMap { padded($0.tokens.map { _ in true }, false) }, shape: shape)
    imageRows = HostArray(prompts.flatMap { padded($0.imageRows, -1) }, shape: shape)
    positions = HostArray(
      (0..<3).flatMap { axis in prompts.flatMap { padded($0.positions[axis], 0) } },
      shape: [3, prompts.count, length])
  }
}
