/// The connected regions of a mask and the holes in them, by the least and the greatest column of each row:
/// their convex hulls need no more.
struct MaskRegions {
  /// The first and the last column of a row.
  struct Row: Hashable {
    var first: Int
    var last: Int
  }

  /// A region's rows by their numbers.
  typealias Region = [Int: Row]

  /// The regions of set pixels, which touch by sides or corners, and the edges of their holes: the set pixels
  /// that touch a hole by their sides.
  private(set) var regions: [Region] = []

  /// Finds the regions from below.
  init(_ mask: [Bool], width: Int, height: Int) {
    var runs = MaskRuns()
    for y in 0..<height {
      var x = 0
      while x < width {
        let start = x
        let isSet = mask[y * width + x]
        while x < width, mask[y * width + x] == isSet { x += 1 }
        // What is not set and touches the frame is outside.
        let touches = y == 0 || y == height - 1 || start == 0 || x == width
        runs.append(start..<x, row: y, isSet: isSet, isOutside: !isSet && touches)
      }
      runs.connect()
    }
    var found: [Int: Region] = [:]
    func add(_ x: Int, _ y: Int, to root: Int) {
      var row = found[root, default: [:]][y] ?? Row(first: x, last: x)
      row = Row(first: min(row.first, x), last: max(row.last, x))
      found[root, default: [:]][y] = row
    }
    for (number, run) in runs.all.enumerated() {
      let root = runs.root(number)
      if run.isSet {
        add(run.columns.lowerBound, run.row, to: root)
        add(run.columns.upperBound - 1, run.row, to: root)
      } else if !runs.all[root].isOutside {
        add(run.columns.lowerBound - 1, run.row, to: root)
        add(run.columns.upperBound, run.row, to: root)
        for y in [run.row - 1, run.row + 1] {
          let set = run.columns.filter { mask[y * width + $0] }
          if let first = set.first, let last = set.last {
            add(first, y, to: root)
            add(last, y, to: root)
          }
        }
      }
    }
    regions = found.sorted { $0.key > $1.key }.map(\.value)
  }

  /// The ends of a region's rows.
  static func points(_ region: Region) -> [SIMD2<Int>] {
    region.flatMap { [SIMD2($1.first, $0), SIMD2($1.last, $0)] }
  }
}

/// The runs of equal pixels in a mask's rows, joined where they touch.
private struct MaskRuns {
  struct Run {
    let columns: Range<Int>
    let row: Int
    let isSet: Bool
    /// Of a root: whether one of the joined runs is outside.
    var isOutside: Bool
  }

  private(set) var all: [Run] = []
  private var parents: [Int] = []
  /// The runs of the last row that was connected.
  private var above = 0..<0

  mutating func append(_ columns: Range<Int>, row: Int, isSet: Bool, isOutside: Bool) {
    parents.append(all.count)
    all.append(Run(columns: columns, row: row, isSet: isSet, isOutside: isOutside))
  }

  /// Joins the new runs with those of the row above.
  mutating func connect() {
    let own = above.upperBound..<all.count
    var other = above.lowerBound
    for number in own {
      let run = all[number]
      // Set pixels touch by their corners too.
      let reach = run.isSet ? 1 : 0
      while other < above.upperBound,
        all[other].columns.upperBound + reach <= run.columns.lowerBound
      {
        other += 1
      }
      var next = other
      while next < above.upperBound, all[next].columns.lowerBound < run.columns.upperBound + reach {
        if all[next].isSet == run.isSet { join(next, number) }
        next += 1
      }
    }
    above = own
  }

  /// The first of the runs that a run is joined with.
  mutating func root(_ number: Int) -> Int {
    var number = number
    while parents[number] != number {
      parents[number] = parents[parents[number]]
      number = parents[number]
    }
    return number
  }

  private mutating func join(_ a: Int, _ b: Int) {
    let (a, b) = (root(a), root(b))
    guard a != b else { return }
    parents[max(a, b)] = min(a, b)
    all[min(a, b)].isOutside = all[a].isOutside || all[b].isOutside
  }
}
