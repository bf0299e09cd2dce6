/// The characters that a network trained by connectionist temporal classification (Graves and others, 2006)
/// tells apart: the blank, those of a list, and the space.
struct CTCCharacters {
  private let list: [String]

  /// The number of classes.
  var classes: Int { list.count + 2 }

  /// Makes the characters of a list with one on each line.
  init(_ text: String) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // The last line may end with a line break.
    if lines.last == "" { lines.removeLast() }
    list = lines
  }

  /// The text of the likeliest class at each place, without repetitions and blanks, and the mean of the
  /// probabilities of its characters, 0 for no text.
  ///
  /// - Parameter probabilities: `[places, classes]`.
  func decode(_ probabilities: ArraySlice<Float>) -> (text: String, score: Double) {
    var (text, sum, count) = ("", 0.0, 0)
    var last = 0
    for start in stride(
      from: probabilities.startIndex, to: probabilities.endIndex, by: classes)
    {
      var best = 0
      for number in 1..<classes
      where probabilities[start + number] > probabilities[start + best] {
        best = number
      }
      defer { last = best }
      guard best != 0, best != last else { continue }
      text += best <= list.count ? list[best - 1] : " "
      sum += Double(probabilities[start + best])
      count += 1
    }
    return (text, count == 0 ? 0 : sum / Double(count))
  }
}
