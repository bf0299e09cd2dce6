import Files
import Foundation
import Pictures
import TestSupport
import Testing

@testable import PJRT
@testable import Training

@Suite struct EventFileTests {
  /// The check value of the polynomial's catalogue, and vectors of RFC 3720, B.4.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E), ([], 0),
    ] as [([UInt8], UInt32)])
  func checksAreCastagnolis(bytes: [UInt8], check: UInt32) {
    #expect(CRC32C.check(bytes) == check)
  }

  @Test func recordsAreFramed() {
    let record = EventFile.record([1, 2, 3])
    #expect(Array(record[..<8]) == [3, 0, 0, 0, 0, 0, 0, 0])
    #expect(Array(record[12..<15]) == [1, 2, 3])
    #expect(record.count == 8 + 4 + 3 + 4)
    #expect(number(record[8..<12]) == CRC32C.masked(record[..<8]))
    #expect(number(record[15...]) == CRC32C.masked([1, 2, 3]))
    // Unmasking gives the plain check.
    let turned = number(record[15...]) &- 0xA282_EAD8
    #expect(turned >> 17 | turned << 15 == CRC32C.check([1, 2, 3]))
  }

  @Test func aRunsFiguresAndPicturesAreEvents() throws {
    let folder = try TemporaryFolder()
    let recipe = try tinyRecipe(folder.path + "/run", "log_every=2")
    let trainer = try Trainer(recipe, on: SharedEngine.get())
    trainer.observers = [PictureObserver(), TensorBoardEvents { Issue.record("\($0)") }]
    #expect(try trainer.run())

    let events = try events(in: recipe.output)
    #expect(events.first?.version == "brain.Event:2")
    let log = try RunLog(of: recipe.output)
    for (tag, name) in [
      ("loss/total", "loss"), ("loss/end_to_end", "end_to_end"),
      ("optimizer/learning_rate", "learning_rate"), ("speed/data_wait", "data_wait"),
    ] {
      let found = events.filter { $0.numbers[tag] != nil }
      #expect(found.map(\.step) == [2, 4], "\(tag)")
      #expect(found.map { Double($0.numbers[tag]!) } == log[name]?.values.map { Double(Float($0)) })
    }
    let pictures = events.filter { !$0.pictures.isEmpty }
    #expect(pictures.map(\.step) == [3])
    #expect(pictures.first?.pictures["samples"]?.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
    #expect(log["test/three"]?.steps == [3] && log["test/three"]?.values == [3])
  }

  @Test func aResumedRunBeginsAFileThatReplacesLaterSteps() throws {
    let folder = try TemporaryFolder()
    let recipe = try tinyRecipe(folder.path + "/run")
    let first = try Trainer(recipe, on: SharedEngine.get())
    first.observers = [TensorBoardEvents { Issue.record("\($0)") }]
    #expect(try !first.run(stopping: { first.step == 2 }))
    let second = try Trainer(recipe, on: SharedEngine.get(), start: .resumed)
    second.observers = [TensorBoardEvents { Issue.record("\($0)") }]
    #expect(try second.run())
    let files = try files(in: recipe.output)
    #expect(files.count == 2)
    // TensorBoard drops what earlier files have from the step of a session's start on.
    #expect(try events(of: files[1]).contains { $0.isSession && $0.step == 3 })

    // A run that replaces this one does not leave its events.
    let third = try Trainer(recipe, on: SharedEngine.get(), start: .replacing)
    third.observers = [TensorBoardEvents { Issue.record("\($0)") }]
    #expect(try third.run())
    #expect(try self.files(in: recipe.output).count == 1)
  }

  /// Finds a figure and a picture after step 3.
  private final class PictureObserver: RunObserver {
    func looksAtWeights(after step: Int) -> Bool { step == 3 }

    func look(at weights: RunWeights) throws -> [Finding] {
      #expect(weights.step == 3 && !weights.parameters.isEmpty)
      return [
        .metrics(.init([("test/three", 3)])),
        .picture("samples", Picture(width: 2, height: 1, channels: 1, values: [0, 255])),
      ]
    }
  }

  private struct Event {
    var step = 0
    var version = ""
    var isSession = false
    var numbers: [String: Float] = [:]
    var pictures: [String: ArraySlice<UInt8>] = [:]
  }

  private func files(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasPrefix("events.out.tfevents.") }.sorted().map { "\(folder)/\($0)" }
  }

  private func events(in folder: String) throws -> [Event] {
    try files(in: folder).flatMap { try events(of: $0) }
  }

  private func events(of path: String) throws -> [Event] {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var (events, place): ([Event], Int) = ([], 0)
    while place < bytes.count {
      let length = Int(number(bytes[place..<place + 4]))
      #expect(number(bytes[place + 8..<place + 12]) == CRC32C.masked(bytes[place..<place + 8]))
      let message = bytes[place + 12..<place + 12 + length]
      let end = place + 12 + length
      #expect(number(bytes[end..<end + 4]) == CRC32C.masked(message))
      events.append(try event(message))
      place = end + 4
    }
    return events
  }

  private func event(_ message: ArraySlice<UInt8>) throws -> Event {
    var event = Event()
    for field in try #require(ProtobufReader(message).fields()) {
      switch (field.number, field.value) {
      case (2, .number(let step)): event.step = Int(step)
      case (3, .content(let text)): event.version = String(decoding: text, as: UTF8.self)
      case (5, .content(let summary)):
        for value in try #require(ProtobufReader(summary).fields()) {
          if case .content(let bytes) = value.value { try add(bytes, to: &event) }
        }
      case (7, _): event.isSession = true
      default: break
      }
    }
    return event
  }

  private func add(_ value: ArraySlice<UInt8>, to event: inout Event) throws {
    var tag = ""
    for field in try #require(ProtobufReader(value).fields()) {
      switch (field.number, field.value) {
      case (1, .content(let text)): tag = String(decoding: text, as: UTF8.self)
      case (2, .content(let bytes)): event.numbers[tag] = Float(bitPattern: number(bytes))
      case (4, .content(let image)):
        for part in try #require(ProtobufReader(image).fields()) {
          if part.number == 4, case .content(let png) = part.value { event.pictures[tag] = png }
        }
      default: break
      }
    }
  }

  private func number(_ bytes: some Collection<UInt8>) -> UInt32 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
