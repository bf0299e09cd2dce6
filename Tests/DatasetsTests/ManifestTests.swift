import Files
import Foundation
import Pictures
import Testing

@testable import Datasets

/// Tables of pictures and prompts.
@Suite final class ManifestTests {
  private let folder = NSTemporaryDirectory() + "twinflow-manifest-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder)/in", withIntermediateDirectories: true)
    for (name, gray) in [("a", 10), ("in/b", 20)] as [(String, UInt8)] {
      try Picture(width: 2, height: 2, channels: 1, values: [gray, gray, gray, gray])
        .write(to: "\(folder)/\(name).png")
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func data(
    _ name: String, _ text: String, _ change: (inout ManifestData) -> Void = { _ in }
  ) throws -> ManifestData {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    var data = ManifestData.defaults
    data.path = "\(folder)/\(name)"
    data.options.size = [2, 2]
    change(&data)
    return data
  }

  /// The same two rows in every form.
  static let tables = [
    (
      "t.jsonl",
      """
      {"file_name": "a.png", "text": ["a fox", "red, \\"small\\""]}

      {"text": " 一只橘猫\\n", "file_name": "in/b.png", "id": 7}
      """
    ),
    (
      "t.csv",
      "\u{FEFF}id,caption,image\r\n1,\"a fox\",a.png\r\n2,\"一只橘猫\n\",in/b.png\r\n"
    ),
    ("t.tsv", "image\tprompt\na.png\ta fox\nin/b.png\t一只橘猫"),
  ]

  @Test(arguments: tables) func readsRows(name: String, text: String) throws {
    let samples = try data(name, text).samples()
    #expect(samples.count == 2)
    #expect(try samples.prompts(1) == ["一只橘猫"])
    #expect(try samples.prompts(0).first == "a fox")
    if name == "t.jsonl" { #expect(try samples.prompts(0).last == #"red, "small""#) }
    #expect(try samples.images(1).picture?.values == .init(repeating: 20, count: 12))
  }

  @Test func columnsCanBeNamed() throws {
    let text = """
      id,file,text,german,ref1
      1,a.png,no,"ein ""Fuchs"", rot",in/b.png
      """
    let samples = try data("t.csv", text) {
      $0.columns = TextColumns(text: "german", image: "file")
      $0.options.references = 1
      $0.options.referenceSize = [2, 2]
    }.samples()
    #expect(try samples.prompts(0) == [#"ein "Fuchs", rot"#])
    #expect(try samples.images(0).references[0].values == .init(repeating: 20, count: 12))
  }

  /// What is wrong with a row, and the line that is named.
  static let faults = [
    ("t.jsonl", #"{"text": "a"}"#, 2, "it names no picture under image, file_name"),
    (
      "t.jsonl", #"{"image": "a.png", "text": " "}"#, 2,
      "it has no text under text, caption, prompt"
    ),
    ("t.jsonl", #"{"image": "a.png", "#, 2, "it is not a JSON object"),
    ("t.jsonl", #"{"image": "c.png", "text": "a"}"#, 2, "there is no picture"),
  ]

  @Test(arguments: faults) func namesTheLine(name: String, row: String, line: Int, reason: String)
    throws
  {
    let good = #"{"image": "a.png", "text": "a"}"#
    let rows = try data(name, "\(good)\n\(row)\n\(good)").rows()
    #expect(rows.problems.count == 1)
    let text = try #require(rows.problems.first.first?.description)
    #expect(text.hasPrefix("\(folder)/\(name), line \(line), cannot be used: \(reason)"))
  }

  /// What is wrong with every row of a long table is counted in one pass.
  @Test func countsManyProblems() throws {
    let row = #"{"image": "a.png", "title": "no text, and so of no use"}"#
    let count = 20_000
    let rows = try data("t.jsonl", String(repeating: row + "\n", count: count)).rows()
    #expect(rows.problems.count == count && rows.problems.first.count == DataProblems.most)
    guard case .damagedRow(_, DataProblems.most, _) = rows.problems.first.last else {
      Issue.record("\(String(describing: rows.problems.first.last))")
      return
    }
  }

  @Test func refusesOtherTables() throws {
    #expect(throws: DatasetError.self) { try data("t.xml", "x").samples() }
    #expect(throws: DatasetError.self) { try data("t.csv", "image,text\n").samples() }
    #expect(throws: DatasetError.self) { try data("t.jsonl", " \n").samples() }
    let error = #expect(throws: DatasetError.self) {
      try data("t.csv", "image,text\na.png,a,b\n").samples()
    }
    #expect(error?.description.contains("it has 3 columns, and the first row 2") == true)
    let open = #expect(throws: DatasetError.self) {
      try data("t.csv", "image,text\na.png,\"a\n").samples()
    }
    #expect(open?.description.contains("a quotation mark is not closed") == true)
  }

  @Test func contentIsThatOfTheTableAndThePictures() throws {
    let text = Self.tables[0].1
    let first = try data("t.jsonl", text).samples().content
    #expect(try data("u.jsonl", text).samples().content == first)
    #expect(try data("t.jsonl", text + "\n").samples().content != first)
    try Picture(width: 2, height: 2, channels: 1, values: [1, 2, 3, 4])
      .write(to: "\(folder)/a.png")
    #expect(try data("u.jsonl", text).samples().content != first)
  }

  /// A million rows take the memory of their places, in a process in which nothing else runs.
  @Test func aMillionRowsFitIntoMemory() async {
    await #expect(processExitsWith: .success) { [folder = folder as String] in
      let count = 1_000_000
      let path = "\(folder)/million.jsonl"
      try Data().write(to: URL(fileURLWithPath: path))
      let file = try #require(FileHandle(forWritingAtPath: path))
      for start in stride(from: 0, to: count, by: 10_000) {
        let rows = (start..<start + 10_000).map {
          #"{"image": "a.png", "text": "picture \#($0), with a caption as long as many are"}"#
        }
        try file.write(contentsOf: Data((rows.joined(separator: "\n") + "\n").utf8))
      }
      try file.close()
      var data = ManifestData.defaults
      data.path = path
      data.options.size = [2, 2]
      let before = try ManifestTests.residentBytes()
      let samples = try data.samples()
      #expect(samples.count == count)
      let last = "picture 999999, with a caption as long as many are"
      #expect(try samples.prompts(999_999) == [last])
      // The file has 89 MB, whose pages the system may take back; 8 bytes are kept of a row.
      #expect(try ManifestTests.residentBytes() - before < 40 << 20)
    }
  }

  /// The memory of this process that no file backs.
  static func residentBytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
    return try #require(
      Int(
        line.split(separator: " ").dropLast().last?
          .trimmingCharacters(in: .whitespaces) ?? "")) << 10
  }

  @Test func readsClassesFromTheirOwnColumn() throws {
    let rows = """
      {"image": "a.png", "label": 12}
      {"image": "in/b.png", "label": "goldfish"}
      """
    #expect(try data("l.jsonl", rows).labelled.samples().all == [["12"], ["goldfish"]])
  }
}
