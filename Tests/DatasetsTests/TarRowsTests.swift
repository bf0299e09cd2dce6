import Foundation
import Pictures
import Testing

@testable import Datasets

/// Tar files in the convention of WebDataset.
@Suite struct TarRowsTests {
  /// A tar file's header and content: POSIX.1-1988.
  private func entry(_ name: String, _ content: [UInt8], type: Character = "0") -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at place: Int) {
      header.replaceSubrange(place..<place + text.utf8.count, with: text.utf8)
    }
    func octal(_ number: Int, _ digits: Int) -> String {
      let text = String(number, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    put(String(name.prefix(100)), at: 0)
    put("0000644", at: 100)
    put(octal(content.count, 11), at: 124)
    put(octal(0, 11), at: 136)
    put("        ", at: 148)
    put(String(type), at: 156)
    put("ustar", at: 257)
    put("00", at: 263)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", at: 148)
    return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  /// A file whose name is longer than a header's field, in the form of GNU.
  private func longEntry(_ name: String, _ content: [UInt8]) -> [UInt8] {
    entry("././@LongLink", Array(name.utf8) + [0], type: "L") + entry(name, content)
  }

  /// A file whose name is not ASCII, in the form of POSIX.1-2001.
  private func unicodeEntry(_ name: String, _ content: [UInt8]) -> [UInt8] {
    let text = " path=\(name)\n"
    let count = text.utf8.count + (text.utf8.count + 2 > 99 ? 3 : 2)
    return entry("PaxHeader", Array("\(count)\(text)".utf8), type: "x") + entry("_", content)
  }

  private let end = [UInt8](repeating: 0, count: 1024)

  private func png(_ gray: UInt8) -> [UInt8] {
    Array(Picture(width: 1, height: 1, channels: 1, values: [gray]).png())
  }

  private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func data(_ path: String, _ change: (inout WebDatasetData) -> Void = { _ in })
    -> WebDatasetData
  {
    var data = WebDatasetData.defaults
    data.path = path
    data.options.size = [1, 1]
    data.options.referenceSize = [1, 1]
    change(&data)
    return data
  }

  private var shard: [UInt8] {
    entry("x/", [], type: "5") + entry("x/0.txt", text("a fox\nred")) + entry("x/0.png", png(1))
      + entry("x/0.ref2.png", png(9)) + entry("x/0.ref1.png", png(8))
      + longEntry("x/" + String(repeating: "n", count: 150) + ".PNG", png(2))
      + longEntry(
        "x/" + String(repeating: "n", count: 150) + ".json", text(#"{"caption": "a cat"}"#))
      + entry("x/stats.json", text("{}")) + end
  }

  @Test(arguments: [false, true]) func readsSamples(isCompressed: Bool) throws {
    try withFolder { folder in
      let path = "\(folder)/a.tar" + (isCompressed ? ".gz" : "")
      try write(isCompressed ? gzip(shard) : shard, to: path)
      let samples = try data(path).samples()
      #expect(try samples.all == [["a fox", "red"], ["a cat"]])
      #expect(try (0..<2).map { try samples.images($0).picture?.values[0] } == [1, 2])
      #expect(samples.name(0) == "\(path), x/0")
      let rows = try TarRows(path, TextColumns(), 2)
      #expect(rows.problems.count == 1 && rows.count == 1)
      #expect(
        try (0..<2).map { try rows.file(0, reference: $0).image(.overWhite).values[0] } == [8, 9])
    }
  }

  @Test func readsFoldersAndPatternsOfShards() throws {
    try withFolder { folder in
      for number in 0..<3 {
        let name = "s-00\(number)"
        try write(
          entry("\(name).png", png(UInt8(number))) + entry("\(name).txt", text(name)) + end,
          to: "\(folder)/\(name).tar")
      }
      try write(
        unicodeEntry("ünï/靴.png", png(7)) + unicodeEntry("ünï/靴.txt", text("a shoe")) + end,
        to: "\(folder)/t.tar")
      let shoe = try data("\(folder)/t.tar").samples()
      #expect(try shoe.all == [["a shoe"]] && shoe.name(0).hasSuffix("t.tar, ünï/靴"))
      #expect(try shoe.images(0).picture?.values[0] == 7)
      try FileManager.default.removeItem(atPath: "\(folder)/t.tar")
      let expected = (0..<3).map { ["s-00\($0)"] }
      #expect(try data(folder).samples().all == expected)
      #expect(try data("\(folder)/s-{000..001}.tar").samples().all == Array(expected.prefix(2)))
      #expect(throws: DatasetError.missing(path: "\(folder)/s-003.tar", package: nil)) {
        try data("\(folder)/s-{000..003}.tar").samples()
      }
    }
  }

  @Test func saysWhatIsMissingOrDamaged() throws {
    try withFolder { folder in
      let path = "\(folder)/a.tar"
      try write(
        entry("a.png", png(1)) + entry("b.txt", text("b")) + entry("c.png", png(1))
          + entry("c.txt", text(" ")) + end, to: path)
      let rows = try data(path).rows()
      #expect(
        rows.problems.first == [
          .missingBeside(path: "\(path), a", missing: "a.txt"), .captionAlone(path: "\(path), b"),
          .noPrompt(path: "\(path), c.txt"),
        ])
      // Cut within a header and within a file.
      for count in [700, 2700] {
        try write(Array(shard.prefix(count)), to: path)
        let error = #expect(throws: DatasetError.self, "\(count)") { try data(path).rows() }
        guard case .damagedTar = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
      }
      try write(text("no tar file at all"), to: path)
      #expect(throws: DatasetError.self) { try data(path).rows() }
    }
  }

  @Test func readsClassesFromTheirOwnFiles() throws {
    try withFolder { folder in
      let path = "\(folder)/a.tar"
      let bytes =
        entry("1.png", png(1)) + entry("1.cls", text("7")) + entry("1.txt", text("a fox"))
        + entry("2.png", png(2)) + entry("2.cls", text("0\n")) + end
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      #expect(try data(path).labelled.samples().all == [["7"], ["0"]])
      let error = #expect(throws: (any Error).self) { try data(path).samples() }
      #expect("\(error!)".contains("2.txt"), "\(error!)")
    }
  }
}
