import Files
import Foundation

/// The program `duckdb`, which reads Parquet.
struct DuckDB: Sendable {
  /// Where it is.
  let program: String

  /// Finds the program: as TWINFLOW_DUCKDB names it, on PATH, or where scripts/setup puts it.
  ///
  /// - Throws: `DatasetError.noDuckDB`.
  init() throws(DatasetError) {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["TWINFLOW_DUCKDB"], !named.isEmpty {
      guard access(named, X_OK) == 0 else { throw .noDuckDB(named: named) }
      program = named
      return
    }
    let cache =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? expandedPath("~/.cache")
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let places = (folders + ["\(cache)/twinflow/programs"]).map { "\($0)/duckdb" }
    guard let found = places.first(where: { access($0, X_OK) == 0 }) else {
      throw .noDuckDB(named: nil)
    }
    program = found
  }

  /// Runs a query and calls a function with each row of the result as a JSON object.
  ///
  /// - Parameter path: the data's path in messages.
  /// - Throws: `DatasetError.damagedParquet` with the program's message, and what the function throws.
  func rows(_ query: String, path: String, _ visit: ([String: Any]) throws -> Void) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    // Settings of the user's could change what is printed.
    process.arguments = ["-no-init", "-batch", "-bail", "-jsonlines", "-c", query]
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    do {
      try process.run()
    } catch {
      throw DatasetError.damagedParquet(path: path, reason: "\(program) cannot be started")
    }
    do {
      try Self.lines(of: output.fileHandleForReading) { line in
        guard let row = try JSONSerialization.jsonObject(with: line) as? [String: Any] else {
          throw DatasetError.damagedParquet(path: path, reason: "\(program) prints no JSON")
        }
        try visit(row)
      }
    } catch {
      process.terminate()
      process.waitUntilExit()
      throw error
    }
    let message = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let lines = String(decoding: message, as: UTF8.self).split(whereSeparator: \.isNewline)
      throw DatasetError.damagedParquet(
        path: path, reason: lines.first.map(String.init) ?? "\(program) failed")
    }
  }

  /// Calls a function with each line of a pipe.
  private static func lines(of pipe: FileHandle, _ visit: (Data) throws -> Void) throws {
    var rest = Data()
    while let piece = try pipe.read(upToCount: 1 << 20), !piece.isEmpty {
      rest += piece
      var start = rest.startIndex
      while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
        try visit(Data(rest[start..<end]))
        start = end + 1
      }
      rest = Data(rest[start...])
    }
    if !rest.isEmpty { try visit(rest) }
  }

  /// A text in a query.
  static func text(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

  /// A name in a query.
  static func name(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}
