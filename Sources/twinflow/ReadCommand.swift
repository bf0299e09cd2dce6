import ArgumentParser
import Files
import Foundation
import Pictures
import Pipelines

/// `twinflow read`
struct ReadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Reads the texts in pictures.",
    discussion: """
      By PP-OCR, as the benchmarks of texts are scored. Prints a JSON object for each picture: the lines of text in \
      reading order with their corners in pixels, and the seconds that it took.

      EXAMPLE
        twinflow read picture.png
      """)

  @Argument(help: "PNG, JPEG or WebP files.", completion: .file(), transform: pathOption)
  var pictures: [String]

  @OptionGroup var reader: ReaderOption

  private struct Found: Encodable {
    struct Line: Encodable {
      let text: String
      let score: Double
      let corners: [[Double]]
    }
    let file: String
    let seconds: Double
    let lines: [Line]
  }

  func run() throws {
    let reading = try TextReading(reader.reader)
    for path in pictures {
      let picture = try RGBImage(contentsOf: path)
      let start = ContinuousClock.now
      let lines = try reading.lines(in: picture)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      let found = Found(
        file: path, seconds: seconds,
        lines: lines.map { line in
          Found.Line(
            text: line.text, score: line.score, corners: line.corners.map { [$0.x, $0.y] })
        })
      print(try JSONFile.text(found))
    }
  }
}

/// The option for the networks that read texts.
struct ReaderOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "PP-OCR, which reads the texts in pictures; by default that of scripts/fetch-ocr.",
      discussion: """
        Its folder or name: .onnx files whose names contain det, cls and rec. It is not the published reader of \
        longtext and oneig, and reports name it.
        """, valueName: "folder"),
    completion: .directory, transform: pathOption)
  var reader: String?
}
