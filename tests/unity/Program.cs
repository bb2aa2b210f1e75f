// Plays Unity for tests/test_unity_client.py: it says on stdout what the classes of docs/unity.md do.
//
//     mono program.exe client HOST PORT TOKEN MOST_WAITING
//     mono program.exe receiver HOST PORT TOKEN NEWEST_ONLY
//
// Commands on stdin, a line each: `take` prints what is waiting; `end` ends.
using System;
using System.Reflection;
using System.Threading;
using Aufer;
using UnityEngine;

public static class Program
{
    public static int Main(string[] args)
    {
        Console.OutputEncoding = new System.Text.UTF8Encoding(false);
        if (args[0] == "client") RunClient(args[1], int.Parse(args[2]), args[3], int.Parse(args[4]));
        else RunReceiver(args[1], int.Parse(args[2]), args[3], bool.Parse(args[4]));
        Console.WriteLine("end");
        return 0;
    }

    static void RunClient(string host, int port, string token, int mostWaiting)
    {
        AuferClient client = new AuferClient(host, port, token, mostWaiting);
        client.Start();
        while (Console.ReadLine() == "take")
        {
            string line;
            while (client.TryTake(out line)) Console.WriteLine("line " + line);
            Console.WriteLine("dropped " + client.Dropped);
            Console.WriteLine("connections " + client.Connections);
            Console.WriteLine("status " + client.Status);
        }
        client.Dispose();
        client.Dispose();
        Console.WriteLine("status " + client.Status);
    }

    static void RunReceiver(string host, int port, string token, bool newestOnly)
    {
        AuferReceiver receiver = new AuferReceiver();
        Set(receiver, "host", host);
        Set(receiver, "port", port);
        Set(receiver, "token", token);
        Set(receiver, "newestOnly", newestOnly);
        int main = Thread.CurrentThread.ManagedThreadId;
        receiver.OnMessage.AddListener(data => Show(data, Thread.CurrentThread.ManagedThreadId == main));
        Call(receiver, "OnEnable");
        while (Console.ReadLine() == "take")
        {
            Call(receiver, "Update");
            Console.WriteLine("latest " + (receiver.Latest == null ? -1 : receiver.Latest.seq));
        }
        Call(receiver, "OnDisable");
        Call(receiver, "Update");
        Call(receiver, "OnEnable");
        Call(receiver, "OnDisable");
    }

    static void Show(EmotionData data, bool onMain)
    {
        Console.WriteLine("message {0} {1} {2} {3}", data.seq, data.faceCount, string.Join(",", data.labels), onMain ? "main" : "elsewhere");
        foreach (FaceData face in data.faces)
        {
            Rect rect = AuferReceiver.OnScreen(face, data);
            Rect mirrored = AuferReceiver.OnScreen(face, data, true);
            string score = face.scores[face.scores.Length - 1].ToString(System.Globalization.CultureInfo.InvariantCulture);
            Console.WriteLine("face {0} {1} {2} {3} {4}", face.id, face.expressionIdx, face.expression, face.scores.Length, score);
            Console.WriteLine("screen {0} {1} {2} {3} {4}", rect.x, rect.y, rect.width, rect.height, mirrored.x);
        }
    }

    static void Set(object owner, string name, object value)
    {
        owner.GetType().GetField(name, BindingFlags.NonPublic | BindingFlags.Instance).SetValue(owner, value);
    }

    static void Call(object owner, string name)
    {
        owner.GetType().GetMethod(name, BindingFlags.NonPublic | BindingFlags.Instance).Invoke(owner, null);
    }
}
