import ArgumentParser
import Files
import Foundation
import Logging
import Pipelines
import Runtime
import Serving
import Synchronization

/// `twinflow serve`
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serves pictures over HTTP, with a page to try prompts.",
    discussion: """
      Speaks OpenAI's images API (/v1/images/generations, /v1/images/edits, /v1/models) and the part of \
      AUTOMATIC1111's that clients use (/sdapi/v1/txt2img, img2img, options, sd-models, progress). The \
      page is at /, metrics for Prometheus are at /metrics. Without --model the model that comes with \
      the program is served, which draws emoji.

      EXAMPLES
        twinflow serve
        twinflow serve --model z=Z-Image-Turbo --model emoji --memory 20GB
        twinflow serve --host 0.0.0.0 --api-key key.txt
      """)

  @Option(help: ArgumentHelp("The name or address to listen at.", valueName: "host"))
  var host = "127.0.0.1"

  @Option(help: "The port; 0 for a free one.", transform: integer(0...65_535))
  var port = 8080

  @Option(
    help: ArgumentHelp(
      "A model: a folder, or the name of one; with a name for requests before it. Again for further ones.",
      valueName: "name=folder"))
  var model: [String] = []

  @Option(
    help: ArgumentHelp(
      "A file of LoRA, with the name that requests use.", valueName: "name=file"))
  var lora: [String] = []

  @Option(
    help: ArgumentHelp(
      "The most bytes of weights that are loaded at once, such as 20GB.",
      discussion: "Models that were not used for the longest time are released.", valueName: "size")
  )
  var memory: Bytes?

  @Option(
    help: ArgumentHelp(
      "A file with the key that requests need.",
      discussion:
        "By default the variable TWINFLOW_API_KEY. Addresses beyond this machine need one.",
      valueName: "file"),
    transform: pathOption)
  var apiKey: String?

  @OptionGroup var engine: EngineOptions

  func run() throws {
    var options = ImageServer.Options()
    (options.host, options.port, options.memory) = (host, port, memory?.count)
    options.key = try apiKey.map { try APIKey(contentsOf: $0) } ?? .environment()
    for text in lora {
      let (name, path) = try named(text)
      options.loras[name] = path
    }
    let logger = Logger(label: "twinflow")
    let engine = try engine.open()
    let models = try (model.isEmpty ? ["emoji"] : model).map { text in
      let (name, path) = try named(text)
      return (name: name, pipeline: try pipeline(path, on: engine, logger))
    }
    let server = try ImageServer(models, options, logger: logger)
    logger.info("warming up", metadata: ["model": "\(models[0].name)"])
    try server.warmUp()
    let (names, host) = (models.map(\.name).joined(separator: ", "), host)
    try waiting {
      try await server.run { port in
        // Not print, which may keep the line in its buffer.
        FileHandle.standardOutput.write(Data("Serving \(names) at http://\(host):\(port)\n".utf8))
      }
    }
  }

  /// Runs an asynchronous operation to its end.
  private func waiting(_ operation: @escaping @Sendable () async throws -> Void) throws {
    let ended = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Void, any Error>>(.success(()))
    Task.detached {
      do {
        try await operation()
      } catch {
        result.withLock { $0 = .failure(error) }
      }
      ended.signal()
    }
    ended.wait()
    try result.withLock { try $0.get() }
  }

  /// A name and what it names; the last part of a path names itself.
  private func named(_ text: String) throws -> (name: String, path: String) {
    guard let mark = text.firstIndex(of: "=") else {
      return (URL(fileURLWithPath: text).deletingPathExtension().lastPathComponent, text)
    }
    let (name, path) = (String(text[..<mark]), String(text[text.index(after: mark)...]))
    guard !name.isEmpty, !path.isEmpty else {
      throw ValidationError("\(text) is not NAME=PATH.")
    }
    return (name, expandedPath(path))
  }

  private func pipeline(
    _ path: String, on engine: Engine, _ logger: Logger
  ) throws -> ImagePipeline {
    let model = try ModelOptions.parse(["--model", path])
    var options = ImagePipeline.Options()
    (options.keepsComponents, options.textMultiple) = (true, 32)
    return try model.resolvingRun().open(on: engine, options) { logger.info("\($0)") }
  }
}
