import Flow
import Foundation
import HTTPTypes
import Hummingbird
import Models
import Pictures
import Pipelines

/// OpenAI's images API.
struct OpenAIRoutes: Sendable {
  let service: PictureService
  let store: PictureStore
  /// When the models were opened, in seconds since 1970.
  let created: Int

  /// Adds the routes.
  func add(to router: Router<ServerContext>) {
    router.get("v1/models") { _, _ in
      try Response(json: OpenAIAnswer.Models(data: service.models.names.map(model)))
    }
    router.get("v1/models/:name") { _, context in
      let name = try service.models.name(of: context.parameters.require("name"))
      return try Response(json: model(name))
    }
    router.post("v1/images/generations") { request, context in
      let fields = try await OpenAIFields(
        generation: request.json(limits: service.limits), service.limits)
      return try await answer(fields, kind: "image_generation", request, context)
    }
    router.post("v1/images/edits") { request, context in
      let fields = try await OpenAIFields(
        edit: request.form(limits: service.limits), service.limits)
      return try await answer(fields, kind: "image_edit", request, context)
    }
    router.get("v1/images/files/:name") { request, context in
      let name = try context.parameters.require("name").split(separator: ".").first ?? ""
      guard let file = store[String(name)] else {
        throw APIError.noSuchPath(request.uri.path, method: "GET")
      }
      return Response(file: file.bytes, type: file.type)
    }
  }

  private func model(_ name: String) -> OpenAIAnswer.Model {
    let pipeline = service.models[name]
    return OpenAIAnswer.Model(
      id: name, created: created,
      facts: OpenAIAnswer.Model.Facts(
        isDefault: name == service.models.names[0],
        size: pipeline.standardSize(editing: []).description,
        isFreeInSize: !pipeline.kind.sizeFollowsNetwork,
        sizeMultiple: pipeline.sizeMultiple, steps: pipeline.standardSteps,
        isGuided: !pipeline.isAnyStep, guidance: pipeline.standardGuidance ?? 0,
        styles: pipeline.isAnyStep ? SamplerSettings.Style.allCases.map(\.rawValue) : [],
        edits: pipeline.kind.references != nil, loras: service.models.loras(of: name)))
  }

  /// The address of the server as a client has it; a proxy in between says whether that is by TLS.
  private static func address(_ request: Request) -> String {
    let isSecure = request.headers[.forwardedProtocol]?.lowercased() == "https"
    return "\(isSecure ? "https" : "http")://\(request.head.authority ?? "localhost")"
  }

  /// Makes the pictures of a request, and answers with all of them or with a stream of events.
  private func answer(
    _ fields: OpenAIFields, kind: String, _ request: Request, _ context: ServerContext
  ) async throws -> Response {
    let order = try service.order(fields.pictures, client: context.client(request))
    let common = OpenAIAnswer.Common(
      created: Int(Date().timeIntervalSince1970), size: order.size.description,
      format: fields.format,
      model: order.model,
      usage: OpenAIAnswer.Usage(
        inputTokens: order.promptTokens, outputTokens: order.imageTokens * order.count,
        inputImages: 0))
    let writer = PictureWriter(
      order: order, fields: fields, store: store, address: Self.address(request))
    if fields.streams { return stream(order, kind: kind, common, writer, context) }
    let data = try await context.whileConnected(seconds: service.limits.seconds) {
      var pictures = [OpenAIAnswer.Picture?](repeating: nil, count: order.count)
      for await event in order.events {
        switch event {
        case .step: break
        case .finished(let number, let picture, let timing):
          pictures[number] = try writer.answer(picture, number: number, timing)
        case .failed(let error): throw error
        }
      }
      try Task.checkCancellation()
      return pictures.compactMap { $0 }
    }
    return try Response(json: OpenAIAnswer.Pictures(common: common, data: data))
  }

  /// Answers with server-sent events; an error that comes up on the way is the last of them.
  private func stream(
    _ order: PictureService.Order, kind: String, _ common: OpenAIAnswer.Common,
    _ writer: PictureWriter, _ context: ServerContext
  ) -> Response {
    Response(events: { send in
      do {
        try await context.whileConnected(seconds: service.limits.seconds) {
          var previews = [Int](repeating: 0, count: order.count)
          for await event in order.events {
            switch event {
            case .step(_, _, _, nil): break
            case .step(let number, _, _, let preview?):
              let event = OpenAIAnswer.Event(
                kind: kind, preview: previews[number], common: common,
                picture: try writer.answer(
                  preview, number: number, PictureTiming(), isPreview: true))
              previews[number] += 1
              try await send(ServerSentEvent(name: event.name, json: event))
            case .finished(let number, let picture, let timing):
              let event = OpenAIAnswer.Event(
                kind: kind, preview: nil, common: common,
                picture: try writer.answer(picture, number: number, timing))
              try await send(ServerSentEvent(name: event.name, json: event))
            case .failed(let error): throw error
            }
          }
        }
      } catch is CancellationError {
        // The client has gone.
      } catch {
        try await send(ServerSentEvent(name: "error", json: APIError(serving: error)))
      }
    })
  }
}

extension HTTPField.Name {
  /// The protocol that a client speaks with the proxy before the server.
  fileprivate static let forwardedProtocol = Self("X-Forwarded-Proto")!
}

/// Turns pictures into what an answer holds.
struct PictureWriter: Sendable {
  let order: PictureService.Order
  let fields: OpenAIFields
  let store: PictureStore
  /// The address of the server as the client has it, without a slash at its end.
  let address: String

  /// A picture in an answer.
  func answer(
    _ picture: RGBImage, number: Int, _ timing: PictureTiming, isPreview: Bool = false
  ) throws -> OpenAIAnswer.Picture {
    let seed = order.request.seed &+ UInt64(number)
    let texts = isPreview ? [] : try order.record(seed: seed).texts()
    let file = try fields.format.file(picture, quality: fields.quality, texts: texts)
    var answer = OpenAIAnswer.Picture(seed: seed, timing: timing)
    if fields.wantsAddress, !isPreview {
      let name = store.add(file, type: fields.format.mediaType)
      answer.url = "\(address)/v1/images/files/\(name).\(fields.format.rawValue)"
    } else {
      answer.base64 = file.base64EncodedString()
    }
    return answer
  }
}
