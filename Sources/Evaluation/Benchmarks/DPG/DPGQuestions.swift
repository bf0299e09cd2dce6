import Datasets
import Files

/// The questions of DPG-Bench (Hu and others, 2024) from its `dpg_bench.csv`.
public struct DPGQuestions: Sendable {
  /// A row of the file.
  public struct Question: Hashable, Sendable {
    /// The number of the question within its item.
    public let number: Int
    /// The questions that must be answered with yes for this one to count; 0 for none.
    public let parents: [Int]
    /// What is asked about, such as `attribute - color (fox, red)`.
    public let tuple: String
    /// The question.
    public let text: String

    /// The category: the tuple up to its parenthesis.
    public var category: String { tuple.prefix { $0 != "(" }.stripped }
    /// The category up to its dash.
    public var broadCategory: String { Self.broad(category) }

    /// The broad category of a category.
    static func broad(_ category: String) -> String { category.prefix { $0 != "-" }.stripped }
  }

  /// A prompt with its questions.
  public struct Item: Hashable, Sendable {
    /// The name, which is that of its picture's file.
    public let id: String
    /// The prompt.
    public let prompt: String
    /// The questions in their order.
    public fileprivate(set) var questions: [Question]

    /// Adds a question; one of the same number takes its place.
    fileprivate mutating func add(_ question: Question) {
      if let place = questions.firstIndex(where: { $0.number == question.number }) {
        questions[place] = question
      } else {
        questions.append(question)
      }
    }
  }

  /// How the file is read.
  public enum Reading: Sendable, Hashable, CaseIterable {
    /// As the published code does: the first row is passed over whatever it holds, and of several groups
    /// of rows of an item the last one counts.
    case published
    /// Every row counts that is not the names of the columns again.
    case corrected
  }

  /// The file.
  public let path: String
  /// The items in the order of the file, read by the corrected reading.
  public let items: [Item]
  private let places: [Reading: [String: Item]]

  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable`, `DatasetError`, and `BenchmarkError.otherFile` for one without the
  ///   columns of DPG-Bench.
  public init(_ path: String) throws {
    self.path = path
    let table = try TextTable(path)
    var rows: [(item: String, prompt: String, question: Question?)] = []
    for number in 0..<table.count {
      do {
        rows.append(try Self.row(table.row(number)))
      } catch let fault as RowFault {
        if number == 0, let missing = Self.missingColumn(try? table.row(0)) {
          throw BenchmarkError.otherFile(
            path: path, benchmark: "DPG-Bench", reason: "it has no column \(missing)")
        }
        throw table.error(fault, number)
      }
    }
    var places: [Reading: [String: Item]] = [:]
    var order: [String] = []
    for reading in Reading.allCases {
      var items: [String: Item] = [:]
      var previous: String?
      for (number, row) in rows.enumerated() {
        if reading == .published, number == 0 { continue }
        guard let question = row.question else { continue }
        let isKnown = items[row.item] != nil
        if !isKnown, reading == .corrected { order.append(row.item) }
        if !isKnown || (reading == .published && previous != row.item) {
          items[row.item] = Item(id: row.item, prompt: row.prompt, questions: [])
        }
        items[row.item]!.add(question)
        previous = row.item
      }
      places[reading] = items
    }
    self.places = places
    items = order.map { places[.corrected]![$0]! }
    guard !items.isEmpty else {
      throw BenchmarkError.otherFile(
        path: path, benchmark: "DPG-Bench", reason: "it has no questions")
    }
  }

  /// The item of a picture.
  ///
  /// - Parameter file: the name of the picture's file, of which the part before the first dot is the item.
  public func item(of file: String, _ reading: Reading = .published) -> Item? {
    places[reading]?[Self.id(of: file)]
  }

  /// The item's name in that of a picture's file.
  public static func id(of file: String) -> String {
    String((file.split(separator: "/").last ?? "").prefix { $0 != "." })
  }

  private static let columns = [
    "item_id", "text", "proposition_id", "dependency", "tuple", "question_natural_language",
  ]

  private static func missingColumn(_ row: [String: [String]]?) -> String? {
    row.flatMap { row in columns.first { row[$0] == nil } }
  }

  /// A row; its question is nil where it repeats the names of the columns.
  private static func row(
    _ row: [String: [String]]
  ) throws -> (item: String, prompt: String, question: Question?) {
    let cells = try columns.map { name in
      guard let cell = row[name]?.first else { throw RowFault("it has no \(name)") }
      return cell
    }
    if cells == columns { return (cells[0], cells[1], nil) }
    func integer(_ text: some StringProtocol, _ column: String) throws -> Int {
      guard let number = Int(text.stripped) else {
        throw RowFault("its \(column) is \"\(text)\", and whole numbers were expected")
      }
      return number
    }
    let question = Question(
      number: try integer(cells[2], columns[2]),
      parents: try cells[3].split(separator: ",", omittingEmptySubsequences: false).map {
        try integer($0, columns[3])
      }, tuple: cells[4], text: cells[5])
    return (cells[0], cells[1], question)
  }
}
