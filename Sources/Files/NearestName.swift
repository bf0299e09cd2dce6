/// The name closest to `word`, or nil where none is close.
///
/// Close means at most two edits (a letter inserted, deleted, replaced, or two swapped), or a third
/// of the word if that is more.
public func nearestName(to word: String, among names: [String]) -> String? {
  let ranked = names.map { (name: $0, edits: edits(from: word, to: $0)) }
  guard let best = ranked.min(by: { $0.edits < $1.edits }) else { return nil }
  let longest = max(word.count, best.name.count)
  return best.edits < longest && best.edits <= max(2, longest / 3) ? best.name : nil
}

/// The number of edits between two words, ignoring case.
func edits(from first: String, to second: String) -> Int {
  let a = Array(first.lowercased())
  let b = Array(second.lowercased())
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1] + [Int](repeating: 0, count: b.count)
    for j in 0..<b.count {
      row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
      }
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}
