import Files
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import NIOEmbedded
import Pictures
import Pipelines
import Synchronization
import TestModels
import TestSupport

@testable import Serving

/// A server of a small model on random weights, whose routes are called without a socket.
final class TestServer: Sendable {
  /// What a route answers.
  struct Answer {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    /// The JSON of the body; empty where it is no object.
    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }
    /// The parts of an error, in OpenAI's form.
    var error: [String: Any] { json["error"] as? [String: Any] ?? [:] }
    /// The pictures of OpenAI's answer.
    var pictures: [[String: Any]] { json["data"] as? [[String: Any]] ?? [] }
  }

  let folder: TemporaryFolder
  let server: ImageServer
  private let responder: RouterResponder<ServerContext>

  /// Makes a server.
  ///
  /// - Parameters:
  ///   - names: the names of its models, which differ in their weights; those with "base" in the name
  ///     have no target times.
  ///   - works: whether its worker runs.
  init(
    _ names: [String] = ["small"], works: Bool = true,
    _ change: (inout ImageServer.Options) -> Void = { _ in }
  ) throws {
    folder = try TemporaryFolder()
    var options = ImageServer.Options()
    change(&options)
    var models: [(name: String, pipeline: ImagePipeline)] = []
    for (number, name) in names.enumerated() {
      let path = "\(folder.path)/\(name)"
      try SmallTextDiT.write(
        path, encoder: "\(folder.path)/bert",
        SmallTextDiT.config(targets: !name.contains("base")), seed: UInt64(1000 * number))
      models.append((name, try ImagePipeline(ModelFolder(path), on: SharedEngine.get())))
    }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    server = try ImageServer(models, options, logger: logger)
    responder = server.router().buildResponder()
    if works { server.worker.start() }
  }

  deinit {
    server.service.queue.close()
  }

  /// A connection.
  static func channel() async throws -> NIOAsyncTestingChannel {
    let channel = NIOAsyncTestingChannel()
    try await channel.pipeline.addHandler(ConnectionWatch()).get()
    return channel
  }

  /// Calls a route.
  func call(
    _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:],
    body: RequestBody = .init(buffer: ByteBuffer()), on channel: NIOAsyncTestingChannel? = nil
  ) async throws -> Answer {
    let connection: NIOAsyncTestingChannel
    if let channel { connection = channel } else { connection = try await Self.channel() }
    let request = Request(
      head: HTTPRequest(
        method: method, scheme: "http", authority: "here:1", path: path, headerFields: headers),
      body: body)
    let context = ServerContext(
      source: ApplicationRequestContextSource(
        channel: connection, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    let response = try await responder.respond(to: request, context: context)
    let collected = Collected()
    try await response.body.write(collected)
    return Answer(
      status: response.status.code, headers: response.headers,
      body: collected.bytes.withLock { $0 })
  }

  /// Calls a route with JSON.
  func post(
    _ path: String, _ json: String, _ headers: HTTPFields = [:],
    on channel: NIOAsyncTestingChannel? = nil
  ) async throws -> Answer {
    var headers = headers
    headers[.contentType] = "application/json"
    return try await call(
      .post, path, headers, body: .init(buffer: ByteBuffer(string: json)), on: channel)
  }

  /// Calls a route with a form.
  ///
  /// - Parameter parts: names, the names of files, and contents.
  func form(
    _ path: String, _ parts: [(name: String, file: String?, content: [UInt8])]
  ) async throws -> Answer {
    var body: [UInt8] = []
    for part in parts {
      let file = part.file.map { "; filename=\"\($0)\"" } ?? ""
      body += Array(
        "--b\r\nContent-Disposition: form-data; name=\"\(part.name)\"\(file)\r\n\r\n".utf8)
      body += part.content + Array("\r\n".utf8)
    }
    body += Array("--b--\r\n".utf8)
    return try await call(
      .post, path, [.contentType: "multipart/form-data; boundary=b"],
      body: .init(buffer: ByteBuffer(bytes: body)))
  }

  private final class Collected: ResponseBodyWriter, Sendable {
    let bytes = Mutex<[UInt8]>([])

    func write(_ buffer: ByteBuffer) async throws {
      bytes.withLock { $0 += Array(buffer.readableBytesView) }
    }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
  }
}

/// The picture of a file.
func decoded(_ file: Data) throws -> RGBImage {
  try UploadedImage(bytes: Array(file), param: "file").image(ServerLimits())
}
