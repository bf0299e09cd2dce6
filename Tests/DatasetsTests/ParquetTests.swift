import Foundation
import Pictures
import Testing

@testable import Datasets

/// Parquet files, made and read by the program `duckdb`.
@Suite(.enabled(if: (try? DuckDB()) != nil, "the program duckdb is not installed"))
struct ParquetTests {
  /// Writes the result of a query to a file.
  private func make(_ path: String, _ query: String) throws {
    try DuckDB().rows("copy (\(query)) to \(DuckDB.text(path)) (row_group_size 16)", path: path) {
      _ in
    }
  }

  private func data(_ path: String, _ change: (inout ParquetData) -> Void = { _ in }) -> ParquetData
  {
    var data = ParquetData.defaults
    data.path = path
    data.options.size = [1, 1]
    change(&data)
    return data
  }

  private func png(_ gray: UInt8) -> String {
    let bytes = Picture(width: 1, height: 1, channels: 1, values: [gray]).png()
    return "from_base64('\(bytes.base64EncodedString())')"
  }

  @Test func readsPicturesAndPromptsAsHuggingFaceHasThem() throws {
    try withFolder { folder in
      let picture = "case when i % 2 = 0 then \(png(5)) else \(png(6)) end"
      for (name, range) in [("a", "0, 50"), ("b's", "50, 60")] {
        try make(
          "\(folder)/\(name).parquet",
          "select {'bytes': \(picture), 'path': i || '.png'} as image, 'sample ' || i as text "
            + "from range(\(range)) t(i)")
      }
      let samples = try data(folder).samples()
      #expect(try samples.all == (0..<60).map { ["sample \($0)"] })
      for index in [0, 1, 33, 32, 49, 50, 59] {
        #expect(try samples.images(index).picture?.values[0] == (index % 2 == 0 ? 5 : 6))
      }
      #expect(samples.name(52) == "\(folder)/b's.parquet, row 2")
      #expect(try data("\(folder)/a.parquet").samples().count == 50)
    }
  }

  @Test func readsListsOfPromptsAndBytesAlone() throws {
    try withFolder { folder in
      let path = "\(folder)/a.parquet"
      try make(
        path,
        "select \(png(3)) as img, ['one', ' ', 'two' || chr(10) || 'lines'] as \"the text\"")
      let samples = try data(path) { $0.columns.text = "the text" }.samples()
      #expect(try samples.all == [["one", "two\nlines"]])
      #expect(try samples.images(0).picture?.values == [3, 3, 3])
    }
  }

  @Test func saysWhatIsWrong() throws {
    try withFolder { folder in
      let path = "\(folder)/a.parquet"
      try make(
        path,
        "select * from (values (\(png(1)), 'a'), (null, 'b'), (\(png(1)), ''), (\(png(1)), null)) "
          + "t(image, text)")
      let rows = try data(path).rows()
      #expect(
        rows.problems.first == [
          .missingBeside(path: "\(path), row 1", missing: "picture"),
          .noPrompt(path: "\(path), row 2"), .noPrompt(path: "\(path), row 3"),
        ])
      try make(path, "select 1 as image, 'a' as text")
      let type = #expect(throws: DatasetError.self) { try data(path).rows() }
      #expect(type?.description.contains("column image is INTEGER") == true)
      try make(path, "select \(png(1)) as image, 'a' as title")
      let column = #expect(throws: DatasetError.self) { try data(path).rows() }
      #expect(column?.description.contains("its columns are image, title") == true)
      try write(Array("PAR1, not".utf8), to: path)
      #expect(throws: DatasetError.self) { try data(path).rows() }
    }
  }

  @Test func readsClassesFromTheirOwnColumn() throws {
    try withFolder { folder in
      let path = "\(folder)/a.parquet"
      try make(path, "select \(png(3)) as image, i % 3 as label, 'text' as text from range(5) t(i)")
      #expect(try data(path).labelled.samples().all == ["0", "1", "2", "0", "1"].map { [$0] })
      #expect(try data(path).samples().all[0] == ["text"])
    }
  }
}
