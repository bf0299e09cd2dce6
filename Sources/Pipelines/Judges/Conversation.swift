import Models
import Pictures
import Tokenizers

/// What is said to a model that sees pictures, in the format of the chat templates of Qwen2.5-VL
/// and Qwen3-VL.
public struct Conversation: Hashable, Sendable {
  /// A part of a message.
  public enum Part: Hashable, Sendable {
    /// Text.
    case text(String)
    /// A picture.
    case picture(RGBImage)
  }

  /// A message.
  public struct Message: Hashable, Sendable {
    /// Who says it: `system`, `user` or `assistant`.
    public var role: String
    /// Its parts in their order.
    public var parts: [Part]

    /// Makes a message.
    public init(role: String = "user", _ parts: [Part]) { (self.role, self.parts) = (role, parts) }
  }

  /// The messages in their order.
  public var messages: [Message]

  /// Makes a conversation.
  public init(_ messages: [Message]) { self.messages = messages }

  /// A question about pictures, which are before it.
  public init(asking question: String, about pictures: [RGBImage]) {
    self.init([Message(pictures.map(Part.picture) + [.text(question)])])
  }

  /// The pictures in their order.
  public var pictures: [RGBImage] {
    messages.flatMap(\.parts).compactMap { part in
      if case .picture(let picture) = part { picture } else { nil }
    }
  }

  /// The text with a token for each picture, up to where the answer begins.
  ///
  /// - Parameter system: the message of the role `system` where the first message has another role; nil for
  ///   none.
  public func text(system: String?) -> String {
    let first = system.map { Message(role: "system", [.text($0)]) }
    let all = messages.first?.role == "system" ? messages : [first].compactMap { $0 } + messages
    let texts = all.map { message in
      let parts = message.parts.map { part in
        switch part {
        case .text(let text): text
        case .picture: "<|vision_start|><|image_pad|><|vision_end|>"
        }
      }
      return "<|im_start|>\(message.role)\n\(parts.joined())<|im_end|>\n"
    }
    return texts.joined() + "<|im_start|>assistant\n"
  }
}
