/// The lengths of prompts in characters.
public struct PromptLengths: Equatable, Sendable {
  /// The number of prompts.
  public let count: Int
  /// The length of the shortest one.
  public let shortest: Int
  /// The length that half of them do not exceed.
  public let median: Int
  /// The length of the longest one.
  public let longest: Int
}

/// Counts prompts and their lengths.
struct PromptTally {
  /// How many prompts have a length.
  private var counts: [Int: Int] = [:]
  private var repeats: [String: Int] = [:]
  /// The most different prompts that are counted.
  private static let most = 100_000

  mutating func add(_ prompts: [String]) {
    for prompt in prompts {
      counts[prompt.count, default: 0] += 1
      if repeats.count < Self.most || repeats[prompt] != nil { repeats[prompt, default: 0] += 1 }
    }
  }

  var lengths: PromptLengths {
    let sorted = counts.sorted { $0.key < $1.key }
    let count = sorted.reduce(0) { $0 + $1.value }
    var (seen, median) = (0, 0)
    for (length, number) in sorted where 2 * seen < count {
      seen += number
      median = length
    }
    return PromptLengths(
      count: count, shortest: sorted.first?.key ?? 0, median: median,
      longest: sorted.last?.key ?? 0)
  }

  /// The prompts that occur more than once, the most frequent ones first.
  func frequent(_ most: Int) -> [(prompt: String, count: Int)] {
    repeats.filter { $0.value > 1 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .prefix(most).map { ($0.key, $0.value) }
  }
}
