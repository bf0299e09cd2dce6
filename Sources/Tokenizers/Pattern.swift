/// A compiled regular expression over Unicode scalars.
///
/// It finds the leftmost match by backtracking, as Oniguruma does, so that alternatives count in
/// their order.
struct Pattern: Sendable {
  private enum Instruction: Sendable {
    /// One character of a set.
    case one(Int)
    /// Characters of a set.
    case run(set: Int, ClosedRange<Int>, isGreedy: Bool, givesBack: Bool)
    case jump(Int)
    /// Two ways, the first one first.
    case fork(Int, Int)
    /// What stands from here to `end` matches ahead, or behind with one of some lengths.
    case look(behind: ClosedRange<Int>?, negative: Bool, end: Int)
    /// What stands from here to `end` matches, in its first way only.
    case atomic(end: Int)
    case assertion(PatternNode.Assertion)
    case match
  }

  private var program: [Instruction] = []
  private var sets: [ScalarSet] = []

  /// Compiles a pattern.
  init(_ pattern: String) throws(PatternParser.Failure) {
    let node = try PatternParser.parse(pattern)
    try add(node)
    program.append(.match)
  }

  /// A pattern of the library's own.
  static func known(_ pattern: String) -> Pattern {
    do {
      return try Pattern(pattern)
    } catch {
      preconditionFailure("The pattern \(pattern) \(error.reason).")
    }
  }

  private mutating func add(_ node: PatternNode) throws(PatternParser.Failure) {
    guard program.count < 100_000 else { throw .init(reason: "is too long") }
    switch node {
    case .set(let set):
      sets.append(set)
      program.append(.one(sets.count - 1))
    case .sequence(let nodes):
      for node in nodes { try add(node) }
    case .choice(let nodes):
      var exits: [Int] = []
      for node in nodes.dropLast() {
        let fork = program.count
        program.append(.match)
        try add(node)
        exits.append(program.count)
        program.append(.match)
        program[fork] = .fork(fork + 1, program.count)
      }
      try add(nodes.last!)
      for exit in exits { program[exit] = .jump(program.count) }
    case .repetition(.set(let set), let count, let greed):
      sets.append(set)
      program.append(
        .run(
          set: sets.count - 1, count, isGreedy: greed != .lazy, givesBack: greed != .possessive))
    case .repetition(let node, let count, .possessive):
      try add(.atomic(.repetition(node, count, .greedy)))
    case .repetition(let node, let count, let greed):
      try addRepetition(of: node, count, isGreedy: greed == .greedy)
    case .look(let inside, let ahead, let negative):
      try addInner(inside) {
        .look(behind: ahead ? nil : inside.lengths, negative: negative, end: $0)
      }
    case .atomic(let inside): try addInner(inside) { .atomic(end: $0) }
    case .assertion(let assertion): program.append(.assertion(assertion))
    }
  }

  private mutating func addInner(
    _ node: PatternNode, _ instruction: (Int) -> Instruction
  ) throws(PatternParser.Failure) {
    let start = program.count
    program.append(.match)
    try add(node)
    program.append(.match)
    program[start] = instruction(program.count)
  }

  private mutating func addRepetition(
    of node: PatternNode, _ count: ClosedRange<Int>, isGreedy: Bool
  ) throws(PatternParser.Failure) {
    func fork(_ into: Int, _ past: Int) -> Instruction {
      isGreedy ? .fork(into, past) : .fork(past, into)
    }
    for _ in 0..<count.lowerBound { try add(node) }
    if count.upperBound == .max {
      let start = program.count
      program.append(.match)
      try add(node)
      program.append(.jump(start))
      program[start] = fork(start + 1, program.count)
      return
    }
    var forks: [Int] = []
    for _ in count.lowerBound..<count.upperBound {
      forks.append(program.count)
      program.append(.match)
      try add(node)
    }
    for start in forks { program[start] = fork(start + 1, program.count) }
  }

  /// The matches, in their order and without overlaps, an empty one not just behind another.
  func matches(in text: [Unicode.Scalar]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var scratch: [Way] = []
    var start = 0
    while start <= text.count {
      guard let end = end(in: text, from: start, at: 0, scratch: &scratch),
        end > start || found.last?.upperBound != start
      else {
        start += 1
        continue
      }
      found.append(start..<end)
      start = end > start ? end : start + 1
    }
    return found
  }

  /// Another way to go on.
  private struct Way {
    var instruction: Int
    var position: Int
    /// The furthest position on which the way may begin instead; steps go towards it.
    var last: Int
  }

  /// The end of the match that begins at `start`; nil where there is none.
  private func end(
    in text: [Unicode.Scalar], from start: Int, at first: Int, scratch ways: inout [Way]
  ) -> Int? {
    let bottom = ways.count
    defer { ways.removeLast(ways.count - bottom) }
    var (instruction, position) = (first, start)
    while true {
      var goesOn = true
      switch program[instruction] {
      case .match: return position
      case .one(let set):
        goesOn = position < text.count && sets[set].contains(text[position])
        position += 1
        instruction += 1
      case .run(let set, let count, let isGreedy, let givesBack):
        let limit =
          count.upperBound < text.count - position ? position + count.upperBound : text.count
        var end = position
        while end < limit, sets[set].contains(text[end]) { end += 1 }
        let least = position + count.lowerBound
        instruction += 1
        if end < least {
          goesOn = false
        } else if isGreedy {
          position = end
          if givesBack, end > least {
            ways.append(Way(instruction: instruction, position: end - 1, last: least))
          }
        } else {
          position = least
          if end > least {
            ways.append(Way(instruction: instruction, position: least + 1, last: end))
          }
        }
      case .jump(let target): instruction = target
      case .fork(let first, let second):
        ways.append(Way(instruction: second, position: position, last: position))
        instruction = first
      case .look(let behind, let negative, let end):
        goesOn =
          looks(in: text, at: position, behind, instruction + 1, scratch: &ways) != negative
        instruction = end
      case .atomic(let end):
        if let reached = self.end(in: text, from: position, at: instruction + 1, scratch: &ways) {
          position = reached
        } else {
          goesOn = false
        }
        instruction = end
      case .assertion(let assertion):
        goesOn = holds(assertion, in: text, at: position)
        instruction += 1
      }
      if goesOn { continue }
      guard ways.count > bottom else { return nil }
      let way = ways[ways.count - 1]
      (instruction, position) = (way.instruction, way.position)
      if way.position == way.last {
        ways.removeLast()
      } else {
        ways[ways.count - 1].position += way.last > way.position ? 1 : -1
      }
    }
  }

  private func looks(
    in text: [Unicode.Scalar], at position: Int, _ behind: ClosedRange<Int>?, _ first: Int,
    scratch ways: inout [Way]
  ) -> Bool {
    guard let behind else { return end(in: text, from: position, at: first, scratch: &ways) != nil }
    for length in behind where length <= position {
      let before = Array(text[..<position])
      if end(in: before, from: position - length, at: first, scratch: &ways) == position {
        return true
      }
    }
    return false
  }

  private func holds(
    _ assertion: PatternNode.Assertion, in text: [Unicode.Scalar], at position: Int
  ) -> Bool {
    switch assertion {
    case .textStart: position == 0
    case .textEnd: position == text.count
    case .lineStart:
      position == 0 || position < text.count && text[position - 1] == "\n"
    case .lineEnd: position == text.count || text[position] == "\n"
    }
  }
}
